/** The script of a page that can reach others through a TURN server only. */

import { createPeer, PublicKey, rtc } from "@wice/core";
import { openBackend } from "@wice/web";
import { exposeToTests } from "../../kit/page/expose.ts";
import type { TurnFunctions } from "../turn-functions.ts";

exposeToTests<TurnFunctions>({
  async untilVerdict({ relay, to, turn, code }) {
    const { privateKey, backend } = await openBackend({ relay });
    const iceServers = [{ urls: turn, username: "somebody", credential: "not the password" }];
    const peer = createPeer({
      ...{ privateKey, backend },
      agents: [rtc({ iceServers, iceTransportPolicy: "relay" })],
    });
    const key = PublicKey.parse(to);
    peer.connect(key).catch(() => {});
    try {
      for await (const _status of peer.status()) {
        const verdict = peer.explain(key);
        if (verdict.code === code) return verdict;
      }
      throw new Error("the peer was closed");
    } finally {
      void peer.close().then(() => backend.close());
    }
  },
});
