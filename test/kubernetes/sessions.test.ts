import { generatePrivateKey, type Peer, type PeerConnectionLike } from "@wice/core";
import { type OpenPeer, openPeer } from "@wice/node";
import { createRelay, type Relay } from "@wice/node/relay";
import { expect, onTestFinished, test } from "vitest";
import { ownCluster, testCluster } from "./kubernetes-test.ts";

const cluster = testCluster();
const restartable = ownCluster();

type NodePeer = Peer<PeerConnectionLike>;

async function open(relay: string | readonly string[], iceServers: [] = []): Promise<OpenPeer> {
  const opened = await openPeer({ relay, privateKey: generatePrivateKey(), iceServers, accept: () => true });
  onTestFinished(() => opened.close());
  return opened;
}

/** Answers whatever comes. */
async function echo(peer: NodePeer): Promise<void> {
  for await (const session of peer.incoming) {
    void (async () => {
      for await (const bytes of session) await session.send(bytes);
    })().catch(() => {});
  }
}

/** A whole session: connected, heard, closed. */
async function converse(from: NodePeer, to: NodePeer, text: string): Promise<void> {
  const session = await from.connect(to.publicKey, { signal: AbortSignal.timeout(40_000) });
  await session.send(new TextEncoder().encode(text));
  for await (const bytes of session) {
    expect(new TextDecoder().decode(bytes)).toBe(text);
    break;
  }
  await session.close();
}

test("two agents that share nothing but the API server get a direct connection", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const namespace = await createMesh();
  const alice = await open(`k8s://${await admin.createAgent(namespace, "alice")}`);
  const bob = await open(`k8s://${await admin.createAgent(namespace, "bob")}`);
  void echo(bob.peer);
  await converse(alice.peer, bob.peer, "through the cluster");
});

test("with a relay beside the API server, either may go away", async (context) => {
  const { admin, own, createMesh } = await restartable(context);
  const namespace = await createMesh();
  let relay: Relay = await createRelay({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => relay.close({ graceMs: 0 }));
  const { url, port } = relay;
  const both = async (name: string) => [`k8s://${await admin.createAgent(namespace, name)}`, url];
  const alice = await open(await both("alice"));
  const bob = await open(await both("bob"));
  void echo(bob.peer);
  await converse(alice.peer, bob.peer, "with both");

  await own.killApiserver();
  await converse(alice.peer, bob.peer, "with the relay alone");

  await own.startApiserver();
  await relay.close({ graceMs: 0 });
  await converse(alice.peer, bob.peer, "with the API server alone");

  relay = await createRelay({ host: "127.0.0.1", port });
  await own.killApiserver();
  await converse(alice.peer, bob.peer, "with the relay again");
}, 120_000);
