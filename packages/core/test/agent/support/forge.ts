/** Another certificate in place of the one that a peer has named. */

import type { AgentDescription } from "@wice/core";

export function forgeAnswer(answer: AgentDescription): AgentDescription {
  return {
    ...answer,
    sdp: answer.sdp.replace(/(?<=^a=fingerprint:\S+ )../gm, (byte) => (byte === "00" ? "01" : "00")),
  };
}
