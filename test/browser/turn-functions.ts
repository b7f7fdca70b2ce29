/** What tests ask of the page that can reach others through a TURN server only. */

import type { Verdict, VerdictCode } from "@wice/core";

export interface TurnFunctions {
  /** Calls a peer by way of a relay, with wrong credentials for the TURN server; resolves when the verdict is that one. */
  untilVerdict(call: {
    readonly relay: string;
    readonly to: string;
    readonly turn: string;
    readonly code: VerdictCode;
  }): Promise<Verdict>;
}
