/** The few facts that are read out of SDP (RFC 8866); nobody here writes any. */

import { WiceError } from "../errors.ts";
import type { AgentDescription } from "./agent.ts";

/** As large as envelopes are. */
const maxSdpLength = 65_536;
/** One for the channels, and one for each track. Some implementations take minutes for a thousand. */
const maxSections = 64;

/** What a connection says of itself: candidates travel apart from it. */
export function describeSdp(sdp: string): AgentDescription {
  const stripped = sdp
    .split(/\r\n|\n/)
    .filter((line) => !/^a=(candidate:|end-of-candidates)/.test(line))
    .join("\r\n");
  return { sdp: stripped, ufrag: attributeOf(sdp, "ice-ufrag") ?? "", pwd: attributeOf(sdp, "ice-pwd") ?? "" };
}

/**
 * The peer's, as WebRTC may have it: candidates in it would pass by everything that candidates are checked for. Throws
 * `invalid-message` for what cannot be the description of a peer with data channels over DTLS.
 */
export function readSdp(sdp: string): string {
  const fine =
    sdp.length <= maxSdpLength &&
    /^v=0\r?\n/.test(sdp) &&
    [...sdp.matchAll(/^m=/gm)].length <= maxSections &&
    /^m=application \d+ \S*DTLS\/SCTP/m.test(sdp) &&
    attributeOf(sdp, "fingerprint") !== undefined &&
    // RFC 8839, section 5.4. Not every implementation looks.
    areAll(sdp, "ice-ufrag", /^[A-Za-z0-9+/]{4,256}$/) &&
    areAll(sdp, "ice-pwd", /^[A-Za-z0-9+/]{22,256}$/);
  if (!fine)
    throw new WiceError("invalid-message", "the peer's description is no SDP with a data channel, or too large");
  return describeSdp(sdp).sdp;
}

/** Whether the attribute is there, and each time as it should be. */
function areAll(sdp: string, name: string, form: RegExp): boolean {
  const values = [...sdp.matchAll(new RegExp(`^a=${name}:([^\\r\\n]*)`, "gm"))];
  return values.length > 0 && values.every(([, value = ""]) => form.test(value));
}

/** The value of the first attribute of that name. */
export function attributeOf(sdp: string, name: string): string | undefined {
  return new RegExp(`^a=${name}:([^\\r\\n]*)`, "m").exec(sdp)?.[1];
}
