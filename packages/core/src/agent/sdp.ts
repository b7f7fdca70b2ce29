/** The few facts that are read out of SDP (RFC 8866); nobody here writes any. */

import { WiceError } from "../errors.ts";
import type { AgentDescription } from "./agent.ts";

/** Far above what any number of tracks needs. */
const maxSdpLength = 65_536;

/** What a connection says of itself: candidates travel apart from it. */
export function describeSdp(sdp: string): AgentDescription {
  const stripped = sdp
    .split(/\r\n|\n/)
    .filter((line) => !/^a=(candidate:|end-of-candidates)/.test(line))
    .join("\r\n");
  return { sdp: stripped, ufrag: attributeOf(sdp, "ice-ufrag") ?? "", pwd: attributeOf(sdp, "ice-pwd") ?? "" };
}

/** Throws `invalid-message` for what cannot be the description of a peer with data channels over DTLS. */
export function checkSdp(sdp: string): void {
  const fine =
    sdp.length <= maxSdpLength &&
    /^v=0\r?\n/.test(sdp) &&
    /^m=application \d+ \S*DTLS\/SCTP/m.test(sdp) &&
    ["fingerprint", "ice-ufrag", "ice-pwd"].every((name) => attributeOf(sdp, name) !== undefined);
  if (!fine) throw new WiceError("invalid-message", "the peer's description is no SDP with a data channel");
}

/** The value of the first attribute of that name. */
export function attributeOf(sdp: string, name: string): string | undefined {
  return new RegExp(`^a=${name}:([^\\r\\n]*)`, "m").exec(sdp)?.[1];
}
