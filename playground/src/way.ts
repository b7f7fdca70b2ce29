/** Which two peers meet, as the page's URL says: both in this page, this tab and another one, or this device and another one. */

import { isWiceError, PublicKey } from "@wice/core";
import { givenRelay, ownRelay, type RelayChoice, readRelay, serverless } from "./relay-choice.ts";

export type Way = "page" | "tabs" | "devices";

export interface Choice {
  readonly way: Way;
  readonly relay: RelayChoice;
  /** Whom the link that was followed is to call. */
  readonly invitedBy: PublicKey | undefined;
}

/** Why the page cannot begin, for whoever opened it, and what would help. */
export interface Refusal {
  readonly way: Way;
  readonly refusal: string;
  readonly missing: "relay" | "link";
}

/** `served`: whether a relay serves the page, at the same address; else it is files of some web server. */
export function chooseWay(page: URL, served: boolean): Choice | Refusal {
  const way = wayOf(page);
  const relay = relayOf(page, served);
  if (relay === undefined) {
    const refusal =
      givenRelay(page) === ""
        ? "This page comes from a web server that is no relay, and two devices need one to meet at. Give the URL of a relay: `wice relay` starts one."
        : "What stands after `?relay=` in this page’s URL is no URL of a relay: it begins with http:// or https://. Give another.";
    return { way, refusal, missing: "relay" };
  }
  const named = way === "page" ? null : new URLSearchParams(page.hash.slice(1)).get("peer");
  const invitedBy = named === null ? undefined : readKey(named);
  if (named !== null && invitedBy === undefined) {
    const refusal = "The link is damaged: what stands after `#peer=` is no public key. Copy it again, whole.";
    return { way, refusal, missing: "link" };
  }
  return { way, relay, invitedBy };
}

/** The key in a link of {@link invitation}, or a key alone. Throws an error for whoever has pasted it. */
export function readInvitation(text: string, page: URL, relay: RelayChoice): PublicKey {
  const link = URL.parse(text.trim());
  const named = new URLSearchParams(link?.hash.slice(1) ?? "").get("peer");
  const key = readKey(named ?? text.trim());
  if (key === undefined) throw new Error("That is neither a link of this page nor a public key. Copy it again, whole.");
  if (link !== null && named !== null && !meets(link, page, relay))
    throw new Error("That link meets somewhere else than this page does. Open it in a tab of its own.");
  return key;
}

/** Whether who follows the link comes to the same relay, or to the tabs of the same site. */
function meets(link: URL, page: URL, relay: RelayChoice): boolean {
  const itsRelay = relayOf(link, relay.own);
  return itsRelay?.url === relay.url && (!relay.serverless || link.origin === page.origin);
}

function wayOf(page: URL): Way {
  const given = page.searchParams.get("way");
  return given === "tabs" || given === "devices" ? given : "page";
}

/** Undefined where there is none, or none that can be used. */
function relayOf(page: URL, served: boolean): RelayChoice | undefined {
  const [way, given] = [wayOf(page), givenRelay(page)];
  if (given !== "") return readRelay(given);
  if (way === "tabs" || (way === "page" && !served)) return serverless;
  return served ? ownRelay(page) : undefined;
}

/** A link that calls this peer: it holds a public key and where to meet, and nothing that is secret. */
export function invitation(page: URL, way: Way, relay: RelayChoice, key: PublicKey): string {
  const link = new URL(page.pathname, page.origin);
  link.searchParams.set("way", way);
  if (!relay.own && !(relay.serverless && way === "tabs")) link.searchParams.set("relay", relay.url);
  // What stands after # is never sent to a server.
  link.hash = new URLSearchParams({ peer: key.toString() }).toString();
  return link.href;
}

/** The page without anybody to call. */
export function elsewhere(page: URL): string {
  const target = new URL(page);
  target.hash = "";
  return target.href;
}

/** The page at another relay. */
export function atRelay(page: URL, relay: string): string {
  const target = new URL(elsewhere(page));
  target.searchParams.set("relay", relay);
  return target.href;
}

function readKey(text: string): PublicKey | undefined {
  try {
    // A space is what some programs make of +.
    return PublicKey.parse(text.replaceAll(" ", "+"));
  } catch (error) {
    if (isWiceError(error)) return undefined;
    throw error;
  }
}
