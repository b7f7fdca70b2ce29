/**
 * The baseline: an RTCPeerConnection on each side, and what one writes by hand to connect them. Every description and every
 * candidate leaves as soon as it is there, and nothing waits for anything that it does not need.
 */

import type { Caller } from "./caller.ts";
import { newMessage } from "./caller.ts";
import { type HandSignals, openHandSignals } from "./hand-signals.ts";

type Signal = { readonly description: RTCSessionDescriptionInit } | { readonly candidate: RTCIceCandidateInit };

interface Connection {
  readonly pc: RTCPeerConnection;
  /** Takes what came early. */
  described: boolean;
  readonly early: RTCIceCandidateInit[];
}

export async function attachBare(relay: string): Promise<Caller> {
  const connections = new Map<string, Connection>();
  const signals: HandSignals<Signal> = await openHandSignals<Signal>(relay, ({ from, call, signal }) => {
    void take(connections.get(call) ?? answerer(from, call), from, call, signal);
  });

  const open = (to: string, call: string): Connection => {
    const pc = new RTCPeerConnection();
    const connection: Connection = { pc, described: false, early: [] };
    connections.set(call, connection);
    pc.onicecandidate = ({ candidate }) => {
      if (candidate !== null) signals.send(to, call, { candidate: candidate.toJSON() });
    };
    return connection;
  };
  const answerer = (from: string, call: string): Connection => {
    const connection = open(from, call);
    connection.pc.ondatachannel = ({ channel }) => {
      channel.onmessage = ({ data }) => channel.send(data);
    };
    return connection;
  };
  const describe = async (pc: RTCPeerConnection, to: string, call: string): Promise<void> => {
    await pc.setLocalDescription();
    if (pc.localDescription !== null) signals.send(to, call, { description: pc.localDescription });
  };
  const take = async (connection: Connection, from: string, call: string, signal: Signal): Promise<void> => {
    const { pc, early } = connection;
    if ("candidate" in signal) {
      // Envelopes may overtake each other.
      if (connection.described) await pc.addIceCandidate(signal.candidate);
      else early.push(signal.candidate);
      return;
    }
    await pc.setRemoteDescription(signal.description);
    connection.described = true;
    for (const candidate of early.splice(0)) void pc.addIceCandidate(candidate);
    if (signal.description.type === "offer") await describe(pc, from, call);
  };

  return {
    name: signals.name,
    call(to) {
      const call = crypto.randomUUID();
      const { pc } = open(to, call);
      const channel = pc.createDataChannel("data");
      return new Promise((resolve, reject) => {
        channel.onopen = () => channel.send(newMessage());
        channel.onmessage = () => resolve();
        describe(pc, to, call).catch(reject);
      });
    },
    async hangUp() {
      for (const { pc } of connections.values()) pc.close();
      connections.clear();
    },
  };
}
