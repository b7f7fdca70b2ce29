/** The script of a page that connects. */

import { countPublishes } from "../../../browser/page/counting.ts";
import { exposeToTests } from "../../../kit/page/expose.ts";
import type { ConnectPage, Servers, Way } from "../connect-page.ts";
import type { Caller } from "./caller.ts";

const envelopes = countPublishes();
let attached: Caller | undefined;

exposeToTests<ConnectPage>({
  async attach(way, servers) {
    attached = await open(way, servers);
    return attached.name;
  },
  async connect(to) {
    const startMs = performance.now();
    await attached?.call(to);
    return performance.now() - startMs;
  },
  async hangUp() {
    await attached?.hangUp();
  },
  envelopes,
});

/** Loads nothing of the others: PeerJS replaces functions of the platform. */
async function open(way: Way, { relay, peerjsPort }: Servers): Promise<Caller> {
  switch (way) {
    case "bare":
      return (await import("./bare.ts")).attachBare(relay);
    case "wice":
      return (await import("./wice.ts")).attachWice(relay);
    case "simple-peer":
      return (await import("./simple-peer.ts")).attachSimplePeer(relay);
    case "peerjs":
      return (await import("./peerjs.ts")).attachPeerJs(peerjsPort);
  }
}
