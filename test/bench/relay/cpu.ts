/**
 * CPU time of the server for one unary publication with one delivery, the relay against bare `node:http2`, in turns so
 * that whatever else the machine does falls on both.
 *
 * `node --conditions=@wice/source test/bench/relay/cpu.ts`
 */

import { createLoad, envelopeFrame, someKey } from "./load.ts";
import { startServer } from "./measured-server.ts";

const bodyBytes = 200;
const [rounds = 6, perRound = 10_000, atOnce = 64] = process.argv.slice(2).map(Number);
const env = { ENVELOPE_BYTES: String(envelopeFrame(someKey(), bodyBytes).length - 5) };

const subjects = await Promise.all(
  ["./baseline-server.ts", "./relay-server.ts"].map(async (file) => {
    const server = await startServer(file, env);
    const load = await createLoad(server.url, bodyBytes);
    await load.publish(perRound, atOnce);
    return { file, server, load, micros: [] as number[] };
  }),
);
for (let round = 0; round < rounds; round++) {
  for (const { server, load, micros } of subjects) {
    const before = await server.usage();
    await load.publish(perRound, atOnce);
    const after = await server.usage();
    micros.push((after.cpuMicros - before.cpuMicros) / perRound);
  }
}
const [baseline = Number.NaN, relay = Number.NaN] = subjects.map(({ micros }) => median(micros));
for (const { file, micros } of subjects) console.log(file, micros.map((each) => each.toFixed(1)).join(" "));
console.log(
  `CPU per publish and delivery: ${relay.toFixed(1)} µs, bare node:http2 ${baseline.toFixed(1)} µs, ratio ${(relay / baseline).toFixed(2)}`,
);
for (const { server, load } of subjects) {
  load.close();
  await server.stop();
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
