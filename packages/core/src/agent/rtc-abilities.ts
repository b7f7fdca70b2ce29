/** What an implementation of WebRTC can, asked of it and not assumed: some have methods that throw, or do nothing. */

import { WiceError } from "../errors.ts";
import type { PeerConnectionConfiguration, PeerConnectionLike } from "./rtc-types.ts";

/** What every connection is made with. */
export const configuration: PeerConnectionConfiguration = {
  iceServers: [],
  bundlePolicy: "max-bundle",
  rtcpMuxPolicy: "require",
};

/** Whether ICE can be restarted. A connection that nobody uses is asked: to one in use it would do something. */
export function canRestartIce(Implementation: new (given: PeerConnectionConfiguration) => PeerConnectionLike): boolean {
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
  Promise.resolve(pc?.close()).catch(() => {});
}
