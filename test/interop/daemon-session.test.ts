/** Sessions of ours with the emulated cunīcu daemon, over a relay and real sockets. */

import { createPeer, electRole, type Peer, PublicKey, type Session } from "@wice/core";
import { openBackend, parsePrivateKey } from "@wice/node";
import { datagram } from "@wice/node/datagram";
import { createRelay } from "@wice/node/relay";
import { describe, expect, test } from "vitest";
import { buildGo } from "../kit/go-build.ts";
import { type GoPeer, startGoDaemon } from "../kit/go-peer.ts";
import { generatePair, type TestPair } from "./keys.ts";

const gopeer = (await buildGo()) ?? "";
const roles = ["controlling", "controlled"] as const;
const patienceMs = 60_000;

/** Two keys, ours with that role. */
function pairs(role: (typeof roles)[number]): readonly [TestPair, TestPair] {
  const [one, other] = [generatePair(), generatePair()];
  const isFirst = electRole(PublicKey.parse(one.public), PublicKey.parse(other.public)) === role;
  return isFirst ? [one, other] : [other, one];
}

interface Ours extends AsyncDisposable {
  readonly peer: Peer;
}

async function open(relay: string, key: TestPair, accept = false): Promise<Ours> {
  const privateKey = parsePrivateKey(key.private);
  const { backend } = await openBackend({ relay, privateKey });
  const peer = createPeer({ privateKey, backend, agents: [datagram()], accept: () => accept });
  return {
    peer,
    async [Symbol.asyncDispose]() {
      await peer.close();
      await backend.close();
    },
  };
}

const startDaemon = (
  relay: { readonly port: number },
  [ours, theirs]: readonly [TestPair, TestPair],
  loss = "none",
): Promise<GoPeer> =>
  startGoDaemon(gopeer, {
    ...{ target: `127.0.0.1:${relay.port}`, key: theirs.private, peer: ours.public, echo: true },
    lose: loss === "none" ? [] : [loss],
  });

/** Datagrams may get lost: says it again until the echo comes. */
async function echo(session: Session, text: string): Promise<void> {
  const iterator = session[Symbol.asyncIterator]();
  const heard = (async () => {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done === true) throw new Error("the session is over");
      if (new TextDecoder().decode(value) === text) return;
    }
  })();
  const deadline = Date.now() + patienceMs;
  for (let isHeard = false; !isHeard; ) {
    if (Date.now() > deadline) throw new Error(`no echo of ${text}: ${session.explain().text}`);
    if (session.state === "connected") await session.send(new TextEncoder().encode(text));
    isHeard = await Promise.race([heard.then(() => true), new Promise<false>((no) => setTimeout(no, 200, false))]);
  }
}

const signal = (): AbortSignal => AbortSignal.timeout(patienceMs);

describe.skipIf(gopeer === "").concurrent.each(roles)("we are the %s one, and the peer is a daemon", (role) => {
  test.each(["first", "second"])("that starts %s", { timeout: 2 * patienceMs }, async (order) => {
    await using relay = await createRelay();
    const keys = pairs(role);
    await using early = order === "first" ? await startDaemon(relay, keys) : undefined;
    await early?.until("state", ({ state }) => state === "idle");
    await using ours = await open(relay.url, keys[0]);
    const startMs = performance.now();
    const calling = ours.peer.connect(PublicKey.parse(keys[1].public), { signal: signal() });
    await using _late = early === undefined ? await startDaemon(relay, keys) : undefined;
    const session = await calling;
    console.log(`${role}, the daemon is ${order}: connected after ${Math.round(performance.now() - startMs)} ms`);
    expect(session).toMatchObject({ agent: "datagram", protection: "none" });
    await echo(session, "hello");
  });

  test("that calls us", { timeout: 2 * patienceMs }, async () => {
    await using relay = await createRelay();
    const keys = pairs(role);
    await using ours = await open(relay.url, keys[0], true);
    await using _daemon = await startDaemon(relay, keys);
    for await (const session of ours.peer.incoming) {
      await echo(session, "hello");
      break;
    }
  });

  const kinds = ["credentials", "need", "candidate", "message"];
  const lost = ["sent", "received"].flatMap((way) =>
    kinds.flatMap((kind) => [1, 2, 3, 5, 8].map((number) => `${way}:${kind}:${number}`)),
  );
  const everyLoss = [["none"], ...lost.map((message) => [message])];

  // What polls needs the `expect` of its own test, as others run at the same time.
  test.for(everyLoss)(
    "that is restarted five times, and the session goes on; lost: %s",
    { timeout: 6 * patienceMs },
    async ([loss], { expect }) => {
      await using relay = await createRelay();
      const keys = pairs(role);
      await using daemon = await startDaemon(relay, keys, loss);
      await using ours = await open(relay.url, keys[0]);
      const session = await ours.peer.connect(PublicKey.parse(keys[1].public), { signal: signal() });
      const connections = (): number => daemon.find("state").filter(({ state }) => state === "connected").length;
      for (let i = 0; i < 5; i++) {
        await echo(session, `before ${i}`);
        const before = connections();
        await daemon.run("restart", {});
        await expect.poll(connections, { timeout: patienceMs }).toBeGreaterThan(before);
        await echo(session, `after ${i}`);
      }
      expect(ours.peer.sessions()).toEqual([session]);
    },
  );

  test.each(everyLoss)("while we are restarted five times; lost: %s", { timeout: 6 * patienceMs }, async (loss) => {
    await using relay = await createRelay();
    const keys = pairs(role);
    await using _daemon = await startDaemon(relay, keys, loss);
    for (let i = 0; i < 5; i++) {
      await using ours = await open(relay.url, keys[0]);
      await echo(await ours.peer.connect(PublicKey.parse(keys[1].public), { signal: signal() }), `life ${i}`);
    }
  });
});
