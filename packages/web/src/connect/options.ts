/** What a Connect transport can be told, and what it does when it is not told. */

import { type Clock, systemClock, WiceError } from "@wice/core";

export interface ConnectTransportOptions extends ConnectClientOptions {
  /** The relay: `https://host[:port][/path]`, or `http:` where the page is not loaded over https. */
  readonly url: string | URL;
}

/** Everything but the relay's address. */
export interface ConnectClientOptions {
  /** Default `"connect"`. `"grpc-web"` is for proxies that know nothing else. */
  readonly protocol?: "connect" | "grpc-web" | undefined;
  /**
   * Asks the relay for an empty envelope at least this often; a stream on which nothing came three times is given up.
   * A page has no other way to notice a dead connection. At least 100; default 15,000; 0 asks for none.
   */
  readonly heartbeatMs?: number | undefined;
  /** From a publish to the relay's answer. Default 10,000. */
  readonly publishTimeoutMs?: number | undefined;
  /** From a subscribe to the relay's "you are subscribed". Default 30,000: a relay may delay whom it limits. */
  readonly subscribeTimeoutMs?: number | undefined;
  /** Larger envelopes are refused with `too-large` when published, dropped and counted when received. Default 65,536. */
  readonly maxEnvelopeBytes?: number | undefined;
  /**
   * All tabs of this origin share one stream of the relay: the tab that holds a Web Lock has it, and hands envelopes to
   * the others. A browser has six connections to a host over HTTP/1.1, and each stream takes one; over HTTP/2 (https)
   * there is no need. Default: for `http:` where the platform has Web Locks and BroadcastChannel, which it has in
   * secure contexts only; elsewhere a fifth tab is refused with `resource-exhausted`. In a shared
   * stream the other options are those of the tab that has it.
   */
  readonly shareStream?: boolean | undefined;
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** For tests. Default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** The options with every default filled in. */
export interface ConnectSettings {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** What messages call the relay: `host[:port]`. */
  readonly where: string;
  readonly secure: boolean;
  readonly protocol: "connect" | "grpc-web";
  readonly heartbeatMs: number;
  readonly publishTimeoutMs: number;
  readonly subscribeTimeoutMs: number;
  readonly maxEnvelopeBytes: number;
  readonly shareStream: boolean | undefined;
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
}

/** Checks and completes the options. Throws `invalid-url` and `invalid-argument`. */
export function resolveSettings(options: ConnectTransportOptions): ConnectSettings {
  const url = toUrl(options.url);
  const { protocol = "connect" } = options;
  if (protocol !== "connect" && protocol !== "grpc-web")
    throw new WiceError("invalid-argument", 'protocol must be "connect" or "grpc-web"');
  return {
    // Not the whole URL: it ends in "?" or "#" where somebody wrote one with nothing after it.
    baseUrl: url.origin + url.pathname.replace(/\/+$/, ""),
    where: url.host,
    secure: url.protocol === "https:",
    protocol,
    heartbeatMs: options.heartbeatMs === 0 ? 0 : positive(options, "heartbeatMs", 15_000, leastHeartbeatMs),
    publishTimeoutMs: positive(options, "publishTimeoutMs", 10_000),
    subscribeTimeoutMs: positive(options, "subscribeTimeoutMs", 30_000),
    maxEnvelopeBytes: positive(options, "maxEnvelopeBytes", 65_536),
    shareStream: options.shareStream,
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    clock: options.clock ?? systemClock,
  };
}

type NumberOption = "heartbeatMs" | "publishTimeoutMs" | "subscribeTimeoutMs" | "maxEnvelopeBytes";

/** What a timer and a `uint32` take. */
const largest = 2 ** 31 - 1;

/** Relays send no more of them; whoever expects more takes a good stream for a dead one. */
const leastHeartbeatMs = 100;

function positive(options: ConnectClientOptions, name: NumberOption, otherwise: number, least = 1): number {
  const value = options[name] ?? otherwise;
  if (Number.isInteger(value) && value >= least && value <= largest) return value;
  throw new WiceError("invalid-argument", `${name} must be a whole number from ${least} to ${largest}`);
}

function toUrl(given: string | URL): URL {
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    // No cause: the platform's error quotes the URL, and with it a password.
    throw new WiceError("invalid-url", "not a URL; write for example https://relay.example.org");
  }
  const flaw =
    url.protocol !== "https:" && url.protocol !== "http:"
      ? "a relay is reached by https: or http:"
      : url.username !== "" || url.password !== ""
        ? "a user or a password has no meaning in it"
        : url.search !== "" || url.hash !== ""
          ? "parameters and fragments have no meaning in it"
          : undefined;
  if (flaw !== undefined) throw new WiceError("invalid-url", `not the URL of a relay: ${flaw}`);
  return url;
}
