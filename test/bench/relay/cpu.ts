/** CPU time of a server for one publication and its delivery: the relay, bare Node, and Connect's adapter. */

import { median, ratios, withSpread } from "../statistics.ts";
import type { Bar, Topic } from "../topic.ts";
import { startBareServer } from "./bare-server.ts";
import { createLoad } from "./load.ts";
import { startServer } from "./measured-server.ts";
import { type Wire, wires } from "./wire.ts";

const bodyBytes = 200;
const atOnce = 64;

interface Amounts {
  readonly rounds: number;
  readonly warmUp: number;
  /** Publications of a turn. Connect's adapter has a tenth: it takes that much longer for each. */
  readonly perTurn: number;
}

const amounts: Amounts = { rounds: 15, warmUp: 20_000, perTurn: 10_000 };
const quickAmounts: Amounts = { rounds: 3, warmUp: 2_000, perTurn: 1_000 };

export const relayCpu: Topic = {
  name: "relay-cpu",
  title: "Relay: CPU time of the server for one publication and its delivery",
  async measure({ quick }) {
    const rows: (string | number)[][] = [];
    const bars: Bar[] = [];
    for (const wire of wires) {
      const { relay, bare, generic } = await measure(wire, quick ? quickAmounts : amounts);
      const toBare = ratios(relay, bare);
      rows.push([
        wire.name,
        ...[relay, bare].map(median),
        withSpread(toBare),
        median(generic),
        withSpread(ratios(generic, relay)),
      ]);
      bars.push({ what: `${wire.name}: relay to bare Node`, value: median(toBare), limit: 1.3, unit: "" });
    }
    return {
      method:
        `CPU time (user and system) of the server's process per envelope of ${bodyBytes} bytes published by a unary ` +
        `call, ${atOnce} at once, and delivered to one open stream (Listen; Subscribe with gRPC). The load comes from ` +
        "another process. Three servers take turns in every round, in changing order. Figures are medians of rounds; " +
        "ratios are medians of the ratios of rounds, with the middle half of the rounds. Bare Node is a program on " +
        "node:http2 or node:http that sends the same bytes and checks nothing; the adapter is Connect's for Node with " +
        "a map of subscribers.",
      table: { columns: ["protocol", "relay µs", "bare µs", "relay/bare", "adapter µs", "adapter/relay"], rows },
      bars,
    };
  },
};

/** Microseconds per publication, of every round. */
async function measure(
  wire: Wire,
  { rounds, warmUp, perTurn }: Amounts,
): Promise<Record<"relay" | "bare" | "generic", number[]>> {
  await using relay = await startServer("./relay-server.ts");
  await using bare = await startBareServer(relay.url, wire, bodyBytes);
  await using generic = await startServer("./generic-server.ts", { WICE_BENCH_HTTP: wire.http });
  const subjects = await Promise.all(
    [
      { server: relay, share: 1 },
      { server: bare, share: 1 },
      { server: generic, share: 0.1 },
    ].map(async ({ server, share }) => {
      const load = await createLoad(server.url, { wire, bodyBytes });
      await load.publish(warmUp * share, atOnce);
      return { server, load, count: perTurn * share, micros: [] as number[] };
    }),
  );
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const { server, load, count, micros } = subjects[(round + turn) % subjects.length] as (typeof subjects)[number];
      const before = await server.cpuMicros();
      await load.publish(count, atOnce);
      micros.push(((await server.cpuMicros()) - before) / count);
    }
  }
  for (const { load } of subjects) load.close();
  const [ofRelay, ofBare, ofGeneric] = subjects.map(({ micros }) => micros);
  return { relay: ofRelay ?? [], bare: ofBare ?? [], generic: ofGeneric ?? [] };
}
