/** What a server's process grows by for each subscription: on a connection that all share, and on one of their own. */

import type { Bar, Topic } from "../topic.ts";
import { startBareServer } from "./bare-server.ts";
import { type Caller, createCaller } from "./caller.ts";
import { type MeasuredServer, startServer } from "./measured-server.ts";
import { connectHttp1, connectHttp2, grpc, listenTo, requestBody, someKey, type Wire } from "./wire.ts";

interface Case {
  readonly name: string;
  readonly wire: Wire;
  readonly shared: boolean;
  readonly count: number;
}

const cases: readonly Case[] = [
  { name: "gRPC stream on a shared connection", wire: grpc, shared: true, count: 10_000 },
  { name: "Connect stream on a shared connection", wire: connectHttp2, shared: true, count: 10_000 },
  { name: "gRPC stream, HTTP/2 connection of its own", wire: grpc, shared: false, count: 1_000 },
  { name: "Connect stream, HTTP/1.1 connection of its own", wire: connectHttp1, shared: false, count: 1_000 },
];

/** How many are opened at once: what the opening itself needs shall not count. */
const atOnce = 250;
/** What is made once, and not for each: code, and room that a program has ready for some. */
const warmUp = 500;
const bytesPerKilobyte = 1_000;

export const relayMemory: Topic = {
  name: "relay-memory",
  title: "Relay: memory of the server for each subscription, in KB",
  async measure({ quick }) {
    const rows: (string | number)[][] = [];
    const bars: Bar[] = [];
    for (const { name, wire, shared, count } of cases) {
      const number = quick ? count / 2 : count;
      await using relay = await startServer("./relay-server.ts");
      await using bare = await startBareServer(relay.url, wire, 200);
      const ofBare = await growth(bare, wire, number, shared);
      const ofRelay = await growth(relay, wire, number, shared);
      const ratio = ofRelay.resident / ofBare.resident;
      rows.push([name, number, ofRelay.resident, ofBare.resident, ratio, ofRelay.heap, ofBare.heap]);
      bars.push(
        shared
          ? { what: name, value: ofRelay.resident, limit: 15, unit: " KB" }
          : { what: `${name}: relay to bare Node`, value: ratio, limit: 1.3, unit: "" },
      );
    }
    return {
      method:
        "Growth of the server's process for each subscription to a key of its own: resident memory, and heap with " +
        "buffers, after a collection of garbage before and after. The first 500 are not counted. Bare Node " +
        "keeps the same streams open and does nothing else.",
      table: {
        columns: ["subscription", "count", "relay", "bare", "relay/bare", "relay's heap", "bare's heap"],
        rows,
      },
      bars,
    };
  },
};

/** Kilobytes for each of `count` subscriptions. */
async function growth(
  server: MeasuredServer,
  wire: Wire,
  count: number,
  shared: boolean,
): Promise<Record<"resident" | "heap", number>> {
  const callers: Caller[] = [];
  const subscribe = async (): Promise<void> => {
    const caller = (shared ? callers[0] : undefined) ?? createCaller(server.url, wire);
    if (callers[0] !== caller) callers.push(caller);
    await caller.open(wire.listen, requestBody(wire.listen, listenTo([someKey()])), () => {});
  };
  const subscribeMany = async (number: number): Promise<void> => {
    for (let done = 0; done < number; done += atOnce) {
      await Promise.all(Array.from({ length: Math.min(atOnce, number - done) }, subscribe));
    }
  };
  await subscribe();
  await subscribeMany(warmUp);
  const before = await server.usage();
  await subscribeMany(count);
  const after = await server.usage();
  for (const caller of callers) caller.close();
  return {
    resident: (after.residentBytes - before.residentBytes) / count / bytesPerKilobyte,
    heap: (after.heapBytes - before.heapBytes) / count / bytesPerKilobyte,
  };
}
