/** Who meets whom, in words: the names of both, what it is about, and the links to the other ways. */

import type { Choice, Way } from "../way.ts";
import { byId } from "./slots.ts";

/** The one of this page first. */
export const names: Readonly<Record<Way, readonly [string, string]>> = {
  page: ["alice", "bob"],
  tabs: ["this tab", "the other tab"],
  devices: ["this device", "the other device"],
};

const leads: Readonly<Record<Way, string>> = {
  page: "Two peers that know only each other’s public key, and a relay that neither has to trust.",
  tabs: "Two tabs of this browser meet by their public keys, without any server.",
  devices: "Two devices meet by a public key; then they talk directly, and not through the relay.",
};

export function showWay({ way, relay }: Choice): void {
  byId("lead").textContent = leads[way];
  byId("envelopes-text").textContent =
    `What ${relay.serverless ? "the browser carries" : "the relay sees of a message"}: two keys, a size, a time. Choose one to see the sealed bytes, and what its recipient finds in it.`;
  const given = new URL(location.href).searchParams.get("relay");
  for (const link of document.querySelectorAll<HTMLAnchorElement>("[data-way]")) {
    if (link.dataset.way === way) link.ariaCurrent = "page";
    if (given === null || link.dataset.way === "tabs" || relay.serverless) continue;
    const target = new URL(link.href);
    target.searchParams.set("relay", given);
    link.href = target.href;
  }
}
