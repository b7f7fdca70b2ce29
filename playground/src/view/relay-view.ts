/** The relay: which one, whether both peers are subscribed at it, and what happened to the connection. */

import type { WiceError } from "@wice/core";
import type { RelayChoice } from "../relay-choice.ts";
import { duration, timeOfDay } from "../text.ts";
import { byId, element, prose } from "./slots.ts";
import { type SubscriptionState, showSubscription } from "./state-view.ts";

export interface RelayView {
  /** One peer's subscription is now in this state. */
  update(peer: string, state: SubscriptionState, error?: WiceError): void;
}

const maxEvents = 4;

/** `isCut`: whether the page itself keeps it away. */
export function createRelayView(relay: RelayChoice, peers: readonly string[], isCut: () => boolean): RelayView {
  const states = new Map<string, SubscriptionState>(peers.map((peer) => [peer, "connecting"]));
  let shown: SubscriptionState = "connecting";
  let since = performance.now();

  byId("relay-url").textContent = relay.url;
  if (relay.serverless) byId("relay-title").textContent = "Instead of a relay";

  const log = (text: string): void => {
    const events = byId("relay-events");
    events.append(element("li", "", element("time", "", timeOfDay(new Date()).slice(0, 8)), ` ${text}`));
    while (events.children.length > maxEvents) events.firstElementChild?.remove();
  };

  return {
    update(peer, state, error) {
      states.set(peer, state);
      const overall = overallState([...states.values()]);
      const cut = overall === "lost" && isCut();
      byId("relay-text").replaceChildren(...prose(cut ? cutText : explain(overall, relay, peers.length, error)));
      if (overall === shown) return;
      const passed = duration(performance.now() - since);
      log(eventText(overall, shown, passed));
      [shown, since] = [overall, performance.now()];
      showSubscription(byId("relay-state"), overall, "connected");
    },
  };
}

const cutText = "The weather keeps this page from it. Let it back in, and the page goes on by itself.";

/** The worst of them. */
function overallState(states: readonly SubscriptionState[]): SubscriptionState {
  const order: readonly SubscriptionState[] = ["refused", "lost", "connecting", "subscribed"];
  return order.find((state) => states.includes(state)) ?? "connecting";
}

function eventText(now: SubscriptionState, before: SubscriptionState, passed: string): string {
  switch (now) {
    case "subscribed":
      return before === "lost" ? `back after ${passed}` : `connected in ${passed}`;
    case "lost":
      return before === "connecting" ? "not reached" : `lost after ${passed}`;
    case "refused":
      return "refused";
    default:
      return now;
  }
}

function explain(
  state: SubscriptionState,
  { own, serverless }: RelayChoice,
  peers: number,
  error: WiceError | undefined,
): string {
  switch (state) {
    case "subscribed":
      if (serverless)
        return "The browser’s own BroadcastChannel carries the envelopes from one to the other; there is no server at all.";
      return peers > 1
        ? "Both peers are subscribed: it hands them the envelopes for their keys, which it cannot open."
        : "It hands this page the envelopes for its key, which it cannot open.";
    case "lost":
      return own
        ? "It cannot be reached. Start it with `npm start`; this page goes on by itself when it is back."
        : "It cannot be reached. Start it, or use another; the page goes on by itself when it is back.";
    case "refused":
      // A web server that is no relay, which is what a page from a folder of files finds at its own address.
      return error?.code === "protocol" || error?.code === "unsupported"
        ? "There is no relay at this address. Start one there, and load this page again, or use another. Two tabs need none: choose “This tab and another”."
        : `It refuses this page (${error?.message ?? "it does not say why"}). Use another.`;
    default:
      return "Asking it for envelopes.";
  }
}
