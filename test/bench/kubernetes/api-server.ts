/** Signaling through an API server: how long an envelope takes, and what it costs the API server, beside the least. */

import { readFile, writeFile } from "node:fs/promises";
import { type Envelope, generatePrivateKey, randomBytes } from "@wice/core";
import { createKubernetesTransport, kubernetesManifests } from "@wice/node/kubernetes";
import { type KubernetesCluster, startKubernetesCluster } from "../../kit/kubernetes-cluster.ts";
import { findKubernetesServer } from "../../kit/kubernetes-server.ts";
import { createTcpProxy } from "../../kit/tcp-proxy.ts";
import { median, percentile, ratios } from "../statistics.ts";
import type { Topic } from "../topic.ts";
import { connectByHand } from "./by-hand.ts";

/** Publishes one envelope and resolves when the other side has it. */
export interface Carrier {
  carry(envelope: Envelope): Promise<void>;
  close(): Promise<void>;
}

interface Turn {
  readonly ms: readonly number[];
  readonly requests: number;
  readonly bytes: number;
}

const bodyBytes = 200;
const columns = ["way", "p50 ms", "p99 ms", "p50 to by hand", "requests", "bytes", "bytes to by hand"];

export const kubernetes: Topic = {
  name: "kubernetes",
  title: "Kubernetes: milliseconds from publishing to having received, and requests and bytes for each envelope",
  async measure({ quick }) {
    const server = await findKubernetesServer();
    if (typeof server === "string") return { method: server, table: { columns, rows: [] }, bars: [] };
    await using cluster = await startKubernetesCluster(server);
    const [rounds, perTurn] = quick ? [2, 20] : [9, 50];
    const { ours, byHand } = await measure(cluster, rounds, perTurn);
    const row = (name: string, turns: readonly Turn[]) => {
      const all = turns.flatMap(({ ms }) => ms);
      const p50s = turns.map(({ ms }) => median(ms));
      return [
        name,
        ...[
          percentile(all, 50),
          percentile(all, 99),
          median(
            ratios(
              p50s,
              byHand.map(({ ms }) => median(ms)),
            ),
          ),
        ],
        ...[median(turns.map(({ requests }) => requests)), median(turns.map(({ bytes }) => bytes))],
        median(
          ratios(
            turns.map(({ bytes }) => bytes),
            byHand.map(({ bytes }) => bytes),
          ),
        ),
      ];
    };
    return {
      method:
        `Envelopes with ${bodyBytes} bytes of body, one after the other, ${perTurn} in a turn; both ways take turns, ` +
        `${rounds} each. Ours is two transports; by hand there is one POST, one event of a watch and one DELETE for each ` +
        "envelope, and nothing is checked, which is the least that a custom resource takes. Requests are those that the " +
        "API server counts, watches that go on excepted; bytes are those of TLS in both directions, of both agents. " +
        "etcd, API server and agents share the machine.",
      table: { columns, rows: [row("two transports", ours), row("by hand", byHand)] },
      bars: [
        {
          what: "bytes for each envelope, to by hand",
          value: median(
            ratios(
              ours.map(({ bytes }) => bytes),
              byHand.map(({ bytes }) => bytes),
            ),
          ),
          limit: 1.2,
          unit: "",
        },
        {
          what: "requests for each envelope",
          value: median(ours.map(({ requests }) => requests)),
          limit: 2.1,
          unit: "",
        },
      ],
    };
  },
};

async function measure(cluster: KubernetesCluster, rounds: number, perTurn: number) {
  const { admin, authority } = cluster;
  await using proxy = await createTcpProxy({ target: { port: Number(authority.split(":")[1]) } });
  await admin.createNamespace("mesh");
  await admin.apply(await kubernetesManifests({ namespace: "mesh" }));
  const account = async (name: string): Promise<string> => {
    const file = await admin.createAgent("mesh", name);
    const config = await readFile(file, "utf8");
    await writeFile(file, config.replace(authority, proxy.address));
    return file;
  };
  const [alice, bob] = [await account("alice"), await account("bob")];
  const recipient = generatePrivateKey().publicKey;
  const sender = generatePrivateKey().publicKey;

  const turn = async (carrier: Carrier, count: number): Promise<Turn> => {
    const [requestsBefore, bytesBefore] = [await countRequests(cluster), total(proxy.bytes)];
    const ms: number[] = [];
    for (let i = 0; i < count; i++) {
      const envelope = { sender, recipient, body: randomBytes(bodyBytes), nonce: randomBytes(24) };
      const start = performance.now();
      await carrier.carry(envelope);
      ms.push(performance.now() - start);
    }
    while ((await cluster.countEnvelopes()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const requests = ((await countRequests(cluster)) - requestsBefore) / count;
    return { ms, requests, bytes: (total(proxy.bytes) - bytesBefore) / count };
  };

  const turns: { ours: Turn[]; byHand: Turn[] } = { ours: [], byHand: [] };
  const ways = {
    ours: () => connectTransports(alice, bob, recipient),
    byHand: () => connectByHand({ alice, bob, recipient }),
  };
  for (let round = 0; round < rounds; round++) {
    // One at a time: an idle watch of the other would get the same events.
    for (const way of round % 2 === 0 ? (["ours", "byHand"] as const) : (["byHand", "ours"] as const)) {
      const carrier = await ways[way]();
      await turn(carrier, 5);
      turns[way].push(await turn(carrier, perTurn));
      await carrier.close();
    }
  }
  return turns;
}

async function connectTransports(alice: string, bob: string, recipient: Envelope["recipient"]): Promise<Carrier> {
  const [from, to] = [alice, bob].map((file) => createKubernetesTransport({ url: `k8s://${file}` }));
  if (from === undefined || to === undefined) throw new Error("two files are two transports");
  const received = (await to.subscribe(recipient))[Symbol.asyncIterator]();
  return {
    async carry(envelope) {
      await Promise.all([from.publish(envelope), received.next()]);
    },
    async close() {
      await from.close();
      await to.close();
    },
  };
}

/** Requests for envelopes that are over. */
async function countRequests({ admin }: KubernetesCluster): Promise<number> {
  const { answer } = await admin.send("GET", "/metrics");
  let count = 0;
  for (const line of String(answer).split("\n")) {
    if (!line.startsWith("apiserver_request_total{") || !line.includes('resource="signalingenvelopes"')) continue;
    if (!line.includes('verb="WATCH"')) count += Number(line.split(" ").at(-1));
  }
  return count;
}

function total({ fromClients, fromTarget }: { readonly fromClients: number; readonly fromTarget: number }): number {
  return fromClients + fromTarget;
}
