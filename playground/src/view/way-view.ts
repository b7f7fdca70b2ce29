/** Who meets whom, in words: the names of both, what it is about, and the links to the other ways. */

import { givenRelay, readRelay } from "../relay-choice.ts";
import { atRelay, type Choice, type Way } from "../way.ts";
import { byId } from "./slots.ts";

/** The one of this page first. */
export const names: Readonly<Record<Way, readonly [string, string]>> = {
  page: ["alice", "bob"],
  tabs: ["this tab", "the other tab"],
  devices: ["this device", "the other device"],
};

const leads: Readonly<Record<Way | "alone", string>> = {
  alone:
    "Two peers that know only each other’s public key; until they are connected, the browser carries what they say.",
  page: "Two peers that know only each other’s public key, and a relay that neither has to trust.",
  tabs: "Two tabs of this browser meet by their public keys, without any server.",
  devices: "Two devices meet by a public key; then they talk directly, and not through the relay.",
};

export function showWay({ way, relay }: Choice): void {
  byId("lead").textContent = leads[way === "page" && relay.serverless ? "alone" : way];
  byId("envelopes-text").textContent =
    `What ${relay.serverless ? "the browser carries" : "the relay sees of a message"}: two keys, a size, a time. Choose one to see the sealed bytes, and what its recipient finds in it.`;
}

/** The links to all ways; they keep to a relay that was given and can be used. */
export function showWays(page: URL, way: Way): void {
  const relay = readRelay(givenRelay(page));
  for (const link of document.querySelectorAll<HTMLAnchorElement>("[data-way]")) {
    if (link.dataset.way === way) link.ariaCurrent = "page";
    if (relay === undefined || relay.serverless || link.dataset.way === "tabs") continue;
    link.href = atRelay(new URL(link.href), relay.url);
  }
}
