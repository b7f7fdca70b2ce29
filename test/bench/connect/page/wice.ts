/** A peer of ours, with the key and the backend of the preset. */

import { createPeer, PublicKey, rtc, type Session } from "@wice/core";
import { openBackend } from "@wice/web";
import { type Caller, newMessage } from "./caller.ts";

export async function attachWice(relay: string): Promise<Caller> {
  const { privateKey, backend } = await openBackend({ relay });
  const peer = createPeer({ privateKey, backend, agents: [rtc()], accept: () => true });
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

async function answer(incoming: AsyncIterable<Session>): Promise<void> {
  for await (const session of incoming) void echo(session);
}

async function echo(session: Session): Promise<void> {
  for await (const bytes of session) await session.send(bytes);
}
