/** simple-peer, which has no signaling: its signals go by hand, each as soon as it is there. */

import SimplePeer, { type Instance, type SignalData } from "simple-peer/simplepeer.min.js";
import { type Caller, newMessage } from "./caller.ts";
import { type HandSignals, openHandSignals } from "./hand-signals.ts";

export async function attachSimplePeer(relay: string): Promise<Caller> {
  const peers = new Map<string, Instance>();
  const signals: HandSignals<SignalData> = await openHandSignals<SignalData>(relay, ({ from, call, signal }) => {
    const peer = peers.get(call) ?? open(from, call, false);
    peer.signal(signal);
  });
  const open = (to: string, call: string, initiator: boolean): Instance => {
    const peer = new SimplePeer({ initiator, config: { iceServers: [] } });
    peers.set(call, peer);
    peer.on("signal", (signal) => signals.send(to, call, signal));
    peer.on("close", () => peers.delete(call));
    // It is one when the other side hangs up.
    peer.on("error", () => {});
    if (!initiator) peer.on("data", (data) => peer.send(data));
    return peer;
  };
  return {
    name: signals.name,
    call(to) {
      const peer = open(to, crypto.randomUUID(), true);
      return new Promise((resolve, reject) => {
        peer.on("connect", () => peer.send(newMessage()));
        peer.on("data", () => resolve());
        peer.on("error", reject);
      });
    },
    async hangUp() {
      for (const peer of peers.values()) peer.destroy();
      peers.clear();
    },
  };
}
