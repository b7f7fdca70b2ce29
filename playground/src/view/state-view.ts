/** A word with a dot: how something is. */

/** Of a subscription at the relay. */
export type SubscriptionState = "connecting" | "subscribed" | "lost" | "refused";

/** The colour of the dot, and whether it breathes: something goes on. */
export type Light = "waiting" | "good" | "trouble" | "bad" | "off";

export function showState(shown: HTMLElement, light: Light, word: string): void {
  shown.dataset.light = light;
  if (shown.textContent !== word) shown.textContent = word;
}

const lights: Readonly<Record<SubscriptionState, readonly [light: Light, word: string]>> = {
  connecting: ["waiting", "connecting"],
  subscribed: ["good", "subscribed"],
  lost: ["trouble", "trying again"],
  refused: ["bad", "refused"],
};

/** `subscribed`: the word for that. */
export function showSubscription(
  shown: HTMLElement,
  state: SubscriptionState,
  subscribed = lights.subscribed[1],
): void {
  const [light, word] = lights[state];
  showState(shown, light, state === "subscribed" ? subscribed : word);
}
