/** Watches a connection, and tells when what it is doing changes. */

import { WiceError } from "../errors.ts";
import type { ConnectionState } from "./agent.ts";
import type { RtcChannel } from "./rtc-channel.ts";
import { initialState, nextState } from "./rtc-state.ts";
import { listen, type PeerConnectionLike } from "./rtc-types.ts";

export interface RtcWatch {
  readonly state: ConnectionState;
  /** What is watched, once it is there. */
  begin(pc: PeerConnectionLike): void;
  /** The peer's description was taken. */
  described(): void;
  /** A channel has opened or ended. */
  look(): void;
  /** It is so for good, whatever the implementation says. Tells nobody. */
  declare(state: "failed" | "closed"): void;
}

/** The channels are those that have to be open before data can flow. */
export function watchRtc(
  channels: readonly RtcChannel[],
  onState: (state: ConnectionState, failure?: WiceError) => void,
): RtcWatch {
  const stops: (() => void)[] = [];
  let watched: PeerConnectionLike | undefined;
  let present = initialState;
  let describedAtMs: number | undefined;
  let asking: unknown;
  let over = false;

  const look = (final: boolean): void => {
    if (watched === undefined || over) return;
    const { state: before } = present;
    const sinceDescribedMs = describedAtMs === undefined ? Number.POSITIVE_INFINITY : performance.now() - describedAtMs;
    present = nextState(present, { pc: watched, channels, sinceDescribedMs, final });
    const { state, forged, doubtful } = present;
    // Events that wait come before timers.
    if (doubtful) asking ??= setTimeout(() => look(true));
    if (state === before) return;
    if (state === "closed") end();
    if (forged) onState(state, new WiceError("forged", forgedText));
    else onState(state);
  };
  const end = (): void => {
    over = true;
    clearTimeout(asking);
    for (const each of stops.splice(0)) each();
  };

  return {
    get state() {
      return present.state;
    },
    begin(pc) {
      watched = pc;
      const onChange = (): void => look(false);
      stops.push(listen(pc, "connectionstatechange", onChange), listen(pc, "iceconnectionstatechange", onChange));
    },
    described() {
      describedAtMs ??= performance.now();
    },
    look: () => look(false),
    declare(state) {
      present = { ...present, state };
      end();
    },
  };
}

const forgedText = "the certificate on the path is not the one that the peer's description names, or DTLS failed";
