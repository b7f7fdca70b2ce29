/** STUN and TURN servers whose credentials end: who knows them is asked again in time. */

import { type Clock, systemClock } from "../async/clock.ts";
import { abortable, sleep } from "../async/signal.ts";
import type { CallOptions } from "../call-options.ts";
import { isWiceError, WiceError } from "../errors.ts";
import type { ServerError } from "./agent.ts";
import type { IceServer } from "./rtc-types.ts";

/**
 * Asked when a connection is made and when ICE restarts, unless what it said last is still good. It gets 5 seconds, and is
 * asked once more when it fails; after that the connection goes on without. Not asked twice at a time.
 */
export type IceServerSource = (options: CallOptions) => Promise<IceServers>;

export interface IceServers {
  readonly servers: readonly IceServer[];
  /** When the credentials end, as `Date.now()` counts. Default: never, so that nobody is asked again. */
  readonly expiresAtMs?: number | undefined;
}

export interface LiveIceServers {
  /** Whether a TURN server is among those that were heard of. */
  readonly hasTurn: boolean;
  /** Rejects only when aborted: who cannot be asked is reported, and what was known before is better than nothing. */
  current(signal: AbortSignal, onError: (error: ServerError) => void): Promise<readonly IceServer[]>;
}

export interface IceServersOptions {
  /** For tests. Default: the platform's. */
  readonly clock?: Clock | undefined;
  /** What `expiresAtMs` is compared with. */
  readonly now?: (() => number) | undefined;
}

/** Credentials that end within this time are not used for anything new. */
const marginMs = 60_000;
/** How long a source may take in all, before we go on without it. */
const patienceMs = 5_000;
/** A source that fails is asked once more after this time: a page may begin before its network does. */
const againMs = 500;

/** Throws `invalid-argument` for what are no servers. */
export function createIceServers(
  given: readonly IceServer[] | IceServerSource,
  { clock = systemClock, now = Date.now }: IceServersOptions = {},
): LiveIceServers {
  let known: IceServers | undefined = typeof given === "function" ? undefined : check({ servers: given });
  let asking: Promise<IceServers> | undefined;

  const isGood = (): boolean =>
    known !== undefined && (known.expiresAtMs ?? Number.POSITIVE_INFINITY) - marginMs > now();
  /** Many connections may want them at once. */
  const ask = (source: IceServerSource): Promise<IceServers> => {
    asking ??= askTwice(source, clock).finally(() => {
      asking = undefined;
    });
    return asking;
  };

  return {
    get hasTurn() {
      return (known?.servers ?? []).some(({ urls }) => [urls].flat().some((url) => /^turns?:/i.test(url)));
    },
    async current(signal, onError) {
      if (typeof given === "function" && !isGood()) {
        try {
          known = await abortable(ask(given), signal);
        } catch (error) {
          signal.throwIfAborted();
          onError(sourceFailed(error));
        }
      }
      return known?.servers ?? [];
    },
  };
}

async function askTwice(source: IceServerSource, clock: Clock): Promise<IceServers> {
  const patience = new AbortController();
  const timer = clock.schedule(patienceMs, () =>
    patience.abort(new WiceError("unavailable", "who knows the ICE servers does not answer", { retryable: true })),
  );
  const { signal } = patience;
  try {
    return await askOnce(source, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    await sleep(clock, againMs, signal);
    return await askOnce(source, signal);
  } finally {
    timer.cancel();
  }
}

/** The application's function may ignore the signal, and may throw at once. */
async function askOnce(source: IceServerSource, signal: AbortSignal): Promise<IceServers> {
  return check(await abortable(new Promise<IceServers>((resolve) => resolve(source({ signal }))), signal));
}

function check(answer: IceServers | undefined): IceServers {
  const servers: readonly (IceServer | undefined)[] | undefined = answer?.servers;
  const isUrl = (url: unknown): boolean => typeof url === "string";
  if (
    answer !== undefined &&
    Array.isArray(servers) &&
    servers.every((each) => each && [each.urls].flat().every(isUrl))
  )
    return answer;
  throw new WiceError("invalid-argument", 'ICE servers are a list like [{ urls: "stun:stun.example.org" }]');
}

/** In the words of a server that cannot be reached. What others throw may hold credentials. */
function sourceFailed(error: unknown): ServerError {
  return { url: "iceServers", code: 701, text: isWiceError(error) ? error.message : "the ICE servers cannot be had" };
}
