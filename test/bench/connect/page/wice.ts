/** A peer of ours, as the preset opens it. */

import { PublicKey } from "@wice/core";
import { openPeer } from "@wice/web";
import { type Caller, newMessage } from "./caller.ts";

export async function attachWice(relay: string): Promise<Caller> {
  const { privateKey, peer } = await openPeer({ relay, accept: () => true });
  void answer(peer.incoming);
  for await (const { type } of peer.status()) if (type === "listening") break;
  return {
    name: privateKey.publicKey.toString(),
    async call(to) {
      const session = await peer.connect(PublicKey.parse(to));
      await session.send(newMessage());
      await session[Symbol.asyncIterator]().next();
    },
    async hangUp() {
      await Promise.all(peer.sessions().map((session) => session.close()));
    },
  };
}

interface Talk extends AsyncIterable<Uint8Array> {
  send(bytes: Uint8Array): Promise<void>;
}

async function answer(incoming: AsyncIterable<Talk>): Promise<void> {
  for await (const talk of incoming) void echo(talk);
}

async function echo(talk: Talk): Promise<void> {
  for await (const bytes of talk) await talk.send(bytes);
}
