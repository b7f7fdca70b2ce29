import { randomUUID } from "node:crypto";
import { electRole, generatePrivateKey, type PrivateKey, rtc } from "@wice/core";
import { type OpenPeer, type OpenPeerOptions, openPeer } from "@wice/web";
import { describe, expect, onTestFinished, test } from "vitest";
import { countChannels } from "./support/channels.ts";
import { rejectionOf, wiceError } from "./support/errors.ts";
import { stubGlobal } from "./support/globals.ts";
import { stubIndexedDb } from "./support/indexed-db.ts";
import { stubPage } from "./support/page.ts";
import { countConnections } from "./support/web-rtc.ts";

/** Until the end of the test. */
async function opened(options: OpenPeerOptions): Promise<OpenPeer> {
  const made = await openPeer(options);
  onTestFinished(() => made.close());
  return made;
}

/** Two that call each other, the first of them controlling. */
async function pair(options: Partial<OpenPeerOptions> = {}) {
  const relay = `broadcast:${randomUUID()}`;
  const keys: [PrivateKey, PrivateKey] = [generatePrivateKey(), generatePrivateKey()];
  if (electRole(keys[0].publicKey, keys[1].publicKey) !== "controlling") keys.reverse();
  const [alice, bob] = [
    await opened({ relay, privateKey: keys[0], ...options }),
    await opened({ relay, privateKey: keys[1], accept: () => true }),
  ];
  return { alice, bob, theirs: keys[1].publicKey };
}

/** An agent that takes down how often ICE was restarted. */
function watchedAgent() {
  const agent = rtc<RTCPeerConnection>();
  const watched = {
    restarts: 0,
    agent: {
      ...agent,
      connect(options: Parameters<typeof agent.connect>[0]) {
        const connection = agent.connect(options);
        const offer = connection.offer.bind(connection);
        connection.offer = (given) => {
          if (given.restart) watched.restarts += 1;
          return offer(given);
        };
        return connection;
      },
    },
  };
  return watched;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("openPeer", () => {
  test("connects two tabs without a server, and passes what they say", async () => {
    await countConnections();
    const { alice, bob, theirs } = await pair();
    const session = await alice.peer.connect(theirs);
    await session.send(bytes("hello"));
    for await (const other of bob.peer.incoming) {
      expect(other.remote.equals(alice.privateKey.publicKey)).toBe(true);
      for await (const message of other) {
        expect(new TextDecoder().decode(message)).toBe("hello");
        break;
      }
      break;
    }
  });

  test("ends everything when it is closed, tells the other side, and leaves nothing behind", async () => {
    const connections = await countConnections();
    const page = stubPage();
    const channels = countChannels();
    const { alice, bob, theirs } = await pair();
    const session = await alice.peer.connect(theirs);
    const { value: other } = await bob.peer.incoming[Symbol.asyncIterator]().next();
    expect(page.listeners).toBeGreaterThan(0);
    await Promise.all([alice.close(), alice.close()]);
    expect(await session.closed).toMatchObject({ cause: "closed" });
    expect(await other?.closed).toMatchObject({ cause: "closed-by-peer" });
    const pairOfKeys = { ours: alice.privateKey, theirs };
    expect(await rejectionOf(alice.backend.publish(pairOfKeys, {}))).toEqual(wiceError("closed"));
    await bob.close();
    expect(page.listeners).toBe(0);
    expect(channels.open).toEqual([]);
    await expect.poll(() => connections.open).toBe(0);
  });

  test("looks for another path when the network changes", async () => {
    await countConnections();
    const page = stubPage();
    const watched = watchedAgent();
    const { alice, theirs } = await pair({ agents: [watched.agent] });
    await alice.peer.connect(theirs);
    expect(watched.restarts).toBe(0);
    page.onWindow("online");
    await expect.poll(() => watched.restarts).toBe(1);
  });

  test.each<[string, Partial<OpenPeerOptions>, readonly unknown[]]>([
    ["none without a relay", {}, []],
    ["those that it is given", { iceServers: [{ urls: "stun:127.0.0.1:9" }] }, [{ urls: ["stun:127.0.0.1:9"] }]],
    [
      "those that a source names",
      { iceServers: async () => ({ servers: [{ urls: "stun:127.0.0.1:9" }] }) },
      [{ urls: ["stun:127.0.0.1:9"] }],
    ],
  ])("uses ICE servers: %s", async (_, options, expected) => {
    const connections = await countConnections();
    const { alice, theirs } = await pair(options);
    const controller = new AbortController();
    const connecting = rejectionOf(alice.peer.connect(theirs, { signal: controller.signal }));
    const used = () => connections.configurations.map(({ iceServers }) => JSON.stringify(iceServers));
    await expect.poll(used, { timeout: 5_000 }).toContain(JSON.stringify(expected));
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await connecting).toBe(reason);
  });

  test("lets nobody in unless it is told whom", async () => {
    await countConnections();
    const { alice, bob } = await pair();
    const refused = bob.peer.connect(alice.privateKey.publicKey, { signal: AbortSignal.timeout(500) });
    await expect(refused).rejects.toMatchObject({ name: "TimeoutError" });
    expect(alice.peer.sessions()).toEqual([]);
  });

  test("refuses where there is no WebRTC, as in workers, before a key is made", async () => {
    const database = stubIndexedDb();
    stubGlobal("RTCPeerConnection", undefined);
    const refused = openPeer({ relay: `broadcast:${randomUUID()}` });
    expect(await rejectionOf(refused)).toEqual(wiceError("unsupported", /RTCPeerConnection/));
    expect(database.opened).toBe(0);
  });

  test.each<[Partial<OpenPeerOptions>, string]>([
    [{ reconnectMs: -1 }, "invalid-argument"],
    [{ agents: [] }, "invalid-argument"],
    [{ relay: "gopher://host" }, "unknown-scheme"],
  ])("refuses %o, and leaves nothing open", async (options, code) => {
    await countConnections();
    const page = stubPage();
    const channels = countChannels();
    const privateKey = generatePrivateKey();
    const refused = openPeer({ relay: `broadcast:${randomUUID()}`, privateKey, ...options });
    expect(await rejectionOf(refused)).toMatchObject({ code });
    expect(channels.open).toEqual([]);
    expect(page.listeners).toBe(0);
  });

  test("stops when it is told to", async () => {
    await countConnections();
    const reason = new Error("enough");
    const refused = openPeer({ relay: `broadcast:${randomUUID()}`, signal: AbortSignal.abort(reason) });
    expect(await rejectionOf(refused)).toBe(reason);
  });
});

test("is closed, and its backend with it, when a block that uses it ends", async () => {
  const privateKey = generatePrivateKey();
  const pair = { ours: privateKey, theirs: generatePrivateKey().publicKey };
  let left: OpenPeer | undefined;
  {
    await using used = await openPeer({ relay: `broadcast:${randomUUID()}`, privateKey, agents: [rtc()] });
    left = used;
  }
  expect(await rejectionOf(left.peer.connect(pair.theirs))).toEqual(wiceError("closed"));
  expect(await rejectionOf(left.backend.publish(pair, {}))).toEqual(wiceError("closed"));
});
