/** A word with a dot: how something is. */

export type ConnectionState = "connecting" | "subscribed" | "lost" | "refused" | "idle";

const words: Readonly<Record<ConnectionState, string>> = {
  connecting: "connecting",
  subscribed: "subscribed",
  lost: "trying again",
  refused: "refused",
  idle: "not connected",
};

export function showState(shown: HTMLElement, state: ConnectionState, word: string = words[state]): void {
  shown.dataset.state = state;
  if (shown.textContent !== word) shown.textContent = word;
}
