/** STUN and TURN servers whose credentials end: who knows them is asked again in time. */

import { abortable } from "../async/signal.ts";
import type { CallOptions } from "../call-options.ts";
import { isWiceError, WiceError } from "../errors.ts";
import type { ServerError } from "./agent.ts";
import type { IceServer } from "./rtc-types.ts";

/** Asked when a connection is made and when ICE restarts, unless what it said last is still good. */
export type IceServerSource = (options: CallOptions) => Promise<IceServers>;

export interface IceServers {
  readonly servers: readonly IceServer[];
  /** When the credentials end, as `Date.now()` counts. Default: never, so that nobody is asked again. */
  readonly expiresAtMs?: number | undefined;
}

export interface LiveIceServers {
  /** Whether a TURN server is among those that were heard of. */
  readonly hasTurn: boolean;
  /** Never fails: who cannot be asked is reported, and what was known before is better than nothing. */
  current(signal: AbortSignal, onError: (error: ServerError) => void): Promise<readonly IceServer[]>;
}

/** Credentials that end within this time are not used for anything new. */
const marginMs = 60_000;

/** How long a source may take, before we go on without it. */
const patienceMs = 5_000;

export function createIceServers(given: readonly IceServer[] | IceServerSource): LiveIceServers {
  let known: IceServers | undefined = typeof given === "function" ? undefined : { servers: given };

  return {
    get hasTurn() {
      return (known?.servers ?? []).some(({ urls }) => [urls].flat().some((url) => /^turns?:/.test(url)));
    },
    async current(signal, onError) {
      const isGood = known !== undefined && (known.expiresAtMs ?? Number.POSITIVE_INFINITY) - marginMs > Date.now();
      if (typeof given === "function" && !isGood) {
        try {
          known = await ask(given, signal);
        } catch (error) {
          if (!signal.aborted) onError(sourceFailed(error));
        }
      }
      return known?.servers ?? [];
    },
  };
}

async function ask(source: IceServerSource, signal: AbortSignal): Promise<IceServers> {
  const patience = AbortSignal.any([AbortSignal.timeout(patienceMs), signal]);
  // The application's function may ignore the signal.
  const answer = await abortable(source({ signal: patience }), patience);
  if (!Array.isArray(answer?.servers))
    throw new WiceError("invalid-argument", "iceServers must resolve with { servers: [ … ] }");
  return answer;
}

/** In the words of a server that cannot be reached. What others throw may hold credentials. */
function sourceFailed(error: unknown): ServerError {
  return { url: "iceServers", code: 701, text: isWiceError(error) ? error.message : "the ICE servers cannot be had" };
}
