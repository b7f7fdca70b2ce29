/** What an implementation of WebRTC can, asked of it and not assumed: some have methods that throw, or do nothing. */

import { WiceError } from "../errors.ts";
import type { PeerConnectionConfiguration, PeerConnectionLike } from "./rtc-types.ts";

/** What every connection is made with. */
export const configuration: PeerConnectionConfiguration = {
  iceServers: [],
  bundlePolicy: "max-bundle",
  rtcpMuxPolicy: "require",
};

type Implementation = new (given: PeerConnectionConfiguration) => PeerConnectionLike;

/** What is known of an implementation's restarts of ICE, for all of its connections. */
export interface RestartAbility {
  readonly can: boolean;
  /** One was done, and nothing came of it. */
  disprove(): void;
}

export function createRestartAbility(implementation: Implementation): RestartAbility {
  let can: boolean | undefined;
  return {
    get can() {
      can ??= takesRestart(implementation);
      return can;
    },
    disprove() {
      can = false;
    },
  };
}

/** A connection that nobody uses is asked: to one in use it would do something. */
function takesRestart(Implementation: Implementation): boolean {
  let pc: PeerConnectionLike | undefined;
  try {
    pc = new Implementation({ ...configuration, iceServers: [] });
    if (pc.restartIce === undefined) return false;
    pc.restartIce();
    return true;
  } catch {
    return false;
  } finally {
    closeQuietly(pc);
  }
}

/** Making one takes no I/O. */
const offerMs = 3_000;

/** Rejects with `unsupported` where none comes: `node-datachannel` makes no offer at who has answered first. */
export async function createOffer(pc: PeerConnectionLike, restart: boolean): Promise<string> {
  let timer: unknown;
  const late = new Promise<never>((_, reject) => {
    const error = new WiceError("unsupported", "this WebRTC implementation makes no offer now");
    timer = setTimeout(() => reject(error), offerMs);
  });
  try {
    return (await Promise.race([pc.createOffer(restart ? { iceRestart: true } : {}), late])).sdp ?? "";
  } finally {
    clearTimeout(timer);
  }
}

/** Takes an offer of ours back. Rejects with `unsupported` where that throws, and where it is ignored. */
export async function rollBack(pc: PeerConnectionLike): Promise<void> {
  const cannot = "this WebRTC implementation cannot take an offer back";
  try {
    await pc.setLocalDescription({ type: "rollback" });
  } catch (cause) {
    throw new WiceError("unsupported", cannot, { cause });
  }
  if (pc.signalingState !== "stable") throw new WiceError("unsupported", cannot);
}

/** Whatever comes of it. */
export function closeQuietly(pc: PeerConnectionLike | undefined): void {
  try {
    Promise.resolve(pc?.close()).catch(() => {});
  } catch {
    // It is as closed as it gets.
  }
}
