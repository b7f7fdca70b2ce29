/** What a user of the command line is told where ICE finds no path: real ICE, which leads nowhere. */

import { type Agent, generatePrivateKey, PublicKey } from "@wice/core";
import { nodeRtc, openPeer } from "@wice/node";
import { expect, test } from "vitest";
import { createScene, orEnd, startRelay, startWice } from "../cli/wice-process.ts";

/** Tells the peer of addresses that lead nowhere (RFC 5737), and goes to none of the peer's. */
function walledIn(agent: Agent): Agent {
  return {
    name: agent.name,
    hasTurn: false,
    connect({ role, events }) {
      const connection = agent.connect({
        role,
        events: {
          ...events,
          onCandidate: (candidate, ufrag) => events.onCandidate({ ...candidate, address: "192.0.2.1" }, ufrag),
        },
      });
      return Object.create(connection, { addCandidates: { value: () => {} } }) as typeof connection;
    },
  };
}

/** A relay, the key of a process, and a peer in this one that nobody reaches. */
async function createPlace(called: boolean) {
  await using opened = new AsyncDisposableStack();
  const [scene, relay] = await Promise.all([createScene(), startRelay()]);
  opened.use(scene);
  opened.use(relay);
  const key = await scene.key("process");
  const privateKey = generatePrivateKey();
  const agents = [walledIn(await nodeRtc())] as NonNullable<Parameters<typeof openPeer>[0]["agents"]>;
  const walled = await openPeer({ relay: relay.url, privateKey, agents, ...(called && { accept: () => true }) });
  opened.defer(walled.close);
  if (called) for await (const { type } of walled.peer.status()) if (type === "listening") break;
  const parts = opened.move();
  return {
    key,
    relay,
    walled,
    publicKey: privateKey.publicKey.toString(),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

test("wice connect says that no pair of addresses answers, and that a TURN server may help", async () => {
  await using place = await createPlace(true);
  const args = ["connect", place.publicKey, "--key", place.key.file, "--relay", place.relay.url];
  await using calling = await startWice(args);
  await orEnd(
    calling,
    calling.until(
      "stderr",
      /^no pair of addresses answered, and no TURN server is configured \(configure a TURN server: .*\)$/m,
    ),
  );
});

test("wice listen says whom it cannot reach", async () => {
  await using place = await createPlace(false);
  await using listening = await startWice(["listen", "--key", place.key.file, "--relay", place.relay.url]);
  await orEnd(listening, listening.until("stderr", /listening as/));
  place.walled.peer.connect(PublicKey.parse(place.key.publicKey)).catch(() => {});
  const [line] = await orEnd(listening, listening.until("stderr", /^\S+: no pair of addresses answered, .*$/m));
  expect(line.startsWith(`${place.publicKey}: `)).toBe(true);
});
