/** What a dead server costs those who use two: publishing beside a healthy one alone. */

import { type EnvelopeTransport, generatePrivateKey, multi, randomBytes } from "@wice/core";
import { createGrpcTransport } from "@wice/node";
import { createTcpProxy } from "../kit/tcp-proxy.ts";
import { startServer } from "./relay/measured-server.ts";
import { median, percentile, ratios } from "./statistics.ts";
import type { Topic } from "./topic.ts";

const ways = ["the healthy relay alone", "two healthy relays", "one of two black-holed"] as const;

export const several: Topic = {
  name: "multi",
  title: "Several backends: milliseconds to publish",
  async measure({ quick }) {
    const [rounds, perTurn] = quick ? [3, 50] : [21, 300];
    const samples = await measure(rounds, perTurn);
    const p50s = (way: number) => (samples[way] ?? []).map(median);
    return {
      method:
        `Envelopes of 200 bytes over gRPC, one after the other, each with a signal as a backend gives it, in turns of ${perTurn}, which the ways take in every ` +
        "round, in changing order. The black-holed relay is behind a proxy that takes every byte and passes none on, " +
        "as a firewall that forgot the connection. Ratios are medians of the ratios of rounds.",
      table: {
        columns: ["way", "p50 ms", "p99 ms", "to alone"],
        rows: ways.map((name, way) => {
          const all = (samples[way] ?? []).flat();
          return [name, percentile(all, 50), percentile(all, 99), median(ratios(p50s(way), p50s(0)))];
        }),
      },
      bars: [{ what: `${ways[2]}, to alone`, value: median(ratios(p50s(2), p50s(0))), limit: 1.1, unit: "" }],
    };
  },
};

async function measure(rounds: number, perTurn: number): Promise<number[][][]> {
  await using healthy = await startServer("./relay-server.ts");
  await using second = await startServer("./relay-server.ts");
  await using proxy = await createTcpProxy({ target: { port: Number(new URL(second.url).port) } });
  const open = (url: string): EnvelopeTransport => createGrpcTransport({ url });
  const holed = open(`http://${proxy.address}`);
  const transports = [
    open(healthy.url),
    multi([open(healthy.url), open(second.url)]),
    multi([open(healthy.url), holed]),
  ];
  const [sender, recipient] = [generatePrivateKey().publicKey, generatePrivateKey().publicKey];
  const turn = async (transport: EnvelopeTransport): Promise<number[]> => {
    const ms: number[] = [];
    for (let i = 0; i < perTurn; i++) {
      const envelope = { sender, recipient, body: randomBytes(200), nonce: randomBytes(24) };
      const { signal } = new AbortController();
      const start = performance.now();
      await transport.publish(envelope, { signal });
      ms.push(performance.now() - start);
    }
    return ms;
  };
  try {
    for (const transport of transports) await turn(transport);
    await holed.publish({ sender, recipient, body: randomBytes(200), nonce: randomBytes(24) });
    proxy.blackhole();
    const samples: number[][][] = transports.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < transports.length; i++) {
        const way = (i + round) % transports.length;
        samples[way]?.push(await turn(transports[way] as EnvelopeTransport));
      }
    }
    return samples;
  } finally {
    await Promise.all(transports.map((transport) => transport.close()));
  }
}
