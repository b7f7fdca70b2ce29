import { electRole, isWiceError, type PeerConnectionLike } from "@wice/core";
import { generatePrivateKey, nodeRtc, openPeer } from "@wice/node";
import { type DatagramNative, datagram } from "@wice/node/datagram";
import { createRelay } from "@wice/node/relay";
import { expect, expectTypeOf, test } from "vitest";

const hello = new TextEncoder().encode("hello");

test("two programs connect by each other's key, and close in order", async () => {
  await using relay = await createRelay();
  const called = await openPeer({ relay: relay.url, accept: () => true });
  const caller = await openPeer({ relay: relay.url });
  const session = await caller.peer.connect(called.privateKey.publicKey, { signal: AbortSignal.timeout(10_000) });
  await session.send(hello);
  for await (const incoming of called.peer.incoming) {
    for await (const bytes of incoming) {
      expect(bytes).toEqual(hello);
      break;
    }
    break;
  }
  await Promise.all([caller.close(), caller.close(), called.close()]);
  expect((await session.closed).cause).toMatch(/closed/);
});

test("asks who knows the servers that it was given", async () => {
  await using relay = await createRelay();
  // The controlling peer needs them for its first message.
  const keys = [generatePrivateKey(), generatePrivateKey()] as const;
  const isFirst = electRole(keys[0].publicKey, keys[1].publicKey) === "controlling";
  const [privateKey, { publicKey }] = isFirst ? keys : ([keys[1], keys[0]] as const);
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const { peer, close } = await openPeer({
    ...{ relay: relay.url, privateKey },
    async iceServers() {
      resolve();
      return { servers: [] };
    },
  });
  peer.connect(publicKey).catch(() => {});
  await asked;
  await close();
});

test("takes several agents, whose sessions have the object of the one that both have", async () => {
  await using relay = await createRelay();
  const called = await openPeer({ relay: relay.url, agents: [datagram()], accept: () => true });
  const caller = await openPeer({ relay: relay.url, agents: [await nodeRtc(), datagram()] });
  const session = await caller.peer.connect(called.privateKey.publicKey, { signal: AbortSignal.timeout(10_000) });
  expect([session.agent, session.protection]).toEqual(["datagram", "sealed"]);
  expectTypeOf(session.connection).toEqualTypeOf<PeerConnectionLike | DatagramNative>();
  expect(session.connection).toHaveProperty("counts");
  await caller.close();
  await called.close();
});

test("needs no relay with a registry", async () => {
  const { close } = await openPeer({ relay: "inprocess:here" });
  await close();
});

test("leaves no backend behind when the peer cannot be opened", async () => {
  await using relay = await createRelay();
  const error = await openPeer({ relay: relay.url, agents: [] }).catch((reason: unknown) => reason);
  expect(isWiceError(error, "invalid-argument")).toBe(true);
  expect(relay.counters().subscriptions).toBe(0);
});

test("is closed, and its backend with it, when a block that uses it ends", async () => {
  let left: Awaited<ReturnType<typeof openPeer>> | undefined;
  {
    await using opened = await openPeer({ relay: "inprocess:block" });
    left = opened;
  }
  const pair = { ours: left.privateKey, theirs: generatePrivateKey().publicKey };
  const closed = expect.objectContaining({ name: "WiceError", code: "closed" });
  await expect(left.peer.connect(pair.theirs)).rejects.toEqual(closed);
  await expect(left.backend.publish(pair, {})).rejects.toEqual(closed);
});
