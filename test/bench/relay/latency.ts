/** How many publications a relay takes in a second, and how long each takes, one at a time and many at once. */

import { median, percentile, ratios } from "../statistics.ts";
import type { Topic } from "../topic.ts";
import { startBareServer } from "./bare-server.ts";
import { createLoad, type Latencies, type LoadOptions } from "./load.ts";
import { startServer } from "./measured-server.ts";
import { connectHttp2, type Wire, wires } from "./wire.ts";

const bodyBytes = 200;

/** A round takes about as long with one at a time as with many. */
const inFlight = [
  { atOnce: 1, perTurn: 2_000 },
  { atOnce: 64, perTurn: 8_000 },
];

interface Way extends LoadOptions {
  readonly name: string;
  readonly wire: Wire;
}

const ways: readonly Way[] = [
  ...wires.map((wire) => ({ name: wire.name, wire })),
  { name: `${connectHttp2.name}, 100 keys`, wire: connectHttp2, keys: 100 },
];

export const relayLatency: Topic = {
  name: "relay-latency",
  title: "Relay: publications per second, and milliseconds from publishing to the answer and to the subscriber",
  async measure({ quick }) {
    const rows: (string | number)[][] = [];
    for (const way of ways) rows.push(...(await measure(way, quick ? 2 : 7, quick ? 0.1 : 1)));
    return {
      method:
        `Unary publications of ${bodyBytes} bytes from one process, all to one stream (Listen; Subscribe with gRPC) of ` +
        "the same process; with 100 keys, one Listen of all and publications to each in turns. Relay and bare Node " +
        "take turns in every round; per second and ratio are medians of rounds. Client and server share the machine, " +
        "and the client's time is part of every figure: it speaks no more of HTTP than it must.",
      table: {
        columns: [
          ...["protocol", "at once", "relay/s", "bare/s", "relay/bare"],
          ...["answered p50", "p99", "bare p50", "p99", "received p50", "p99"],
        ],
        rows,
      },
      bars: [],
    };
  },
};

/** A row for each number at once. */
async function measure({ name, ...options }: Way, rounds: number, share: number): Promise<(string | number)[][]> {
  await using relay = await startServer("./relay-server.ts");
  await using bare = await startBareServer(relay.url, options.wire, bodyBytes);
  const subjects = await Promise.all(
    [relay, bare].map(async (server) => {
      const load = await createLoad(server.url, { ...options, bodyBytes });
      await load.publish(20_000 * share, 64);
      return { load };
    }),
  );
  const rows: (string | number)[][] = [];
  for (const { atOnce, perTurn } of inFlight) {
    const count = perTurn * share;
    const [ofRelay, ofBare] = [newSamples(), newSamples()];
    for (let round = 0; round < rounds; round++) {
      for (const [index, samples] of [ofRelay, ofBare].entries()) {
        const startMs = performance.now();
        const latencies = await subjects[index]?.load.publish(count, atOnce);
        samples.perSecond.push(count / ((performance.now() - startMs) / 1000));
        if (latencies !== undefined) samples.latencies.push(latencies);
      }
    }
    const answered = ofRelay.latencies.flatMap((each) => each.answered);
    const answeredBare = ofBare.latencies.flatMap((each) => each.answered);
    const received = ofRelay.latencies.flatMap((each) => each.received);
    rows.push([
      ...[name, atOnce, Math.round(median(ofRelay.perSecond)), Math.round(median(ofBare.perSecond))],
      median(ratios(ofRelay.perSecond, ofBare.perSecond)),
      ...[answered, answeredBare, received].flatMap((each) => [percentile(each, 50), percentile(each, 99)]),
    ]);
  }
  for (const { load } of subjects) load.close();
  return rows;
}

function newSamples(): { perSecond: number[]; latencies: Latencies[] } {
  return { perSecond: [], latencies: [] };
}
