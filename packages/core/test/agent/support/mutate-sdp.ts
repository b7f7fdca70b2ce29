/** Descriptions that were tampered with: most are no SDP any more, and some are one that nobody has thought of. */

import type { AgentDescription } from "@wice/core";
import type { SeededRandom } from "@wice/core/testing";

const values = [
  "",
  "0",
  "-1",
  "99999999999999999999",
  "NaN",
  "\u0000",
  "é",
  "a".repeat(5_000),
  "actpass",
  "0 1 2",
  ":",
] as const;
const lines = [
  "m=video 9 UDP/TLS/RTP/SAVPF 96",
  "m=audio 9 UDP/TLS/RTP/SAVPF 0",
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
  "m=",
  "a=rtpmap:96 VP8/90000",
  "a=group:BUNDLE 0 1 2",
  "a=setup:passive",
  "a=sctp-port:0",
  "a=rid:1 send",
  `a=fingerprint:sha-256 ${"00:".repeat(31)}zz`,
] as const;

export function mutateSdp(description: AgentDescription, random: SeededRandom): AgentDescription {
  const sdp = description.sdp.split("\r\n");
  for (let left = 1 + random.integer(0, 2); left > 0; left -= 1) {
    const at = random.integer(0, sdp.length - 1);
    const line = sdp[at] ?? "";
    const value = random.pick(values);
    switch (random.integer(0, 4)) {
      case 0:
        sdp.splice(at, 1);
        break;
      case 1:
        sdp.splice(at, 0, line);
        break;
      case 2:
        sdp[at] = line.replace(/(?<=[:= ]).*/, value);
        break;
      case 3:
        sdp[at] = line.replace(/\S+$/, value);
        break;
      default:
        sdp.splice(at, 0, random.pick(lines));
    }
  }
  return { ...description, sdp: sdp.join("\r\n") };
}
