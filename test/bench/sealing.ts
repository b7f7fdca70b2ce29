/** What sealing costs a datagram: CPU and bytes, beside the same connection without it. */

import { type AgentPair, createAgentPair } from "@wice/core/testing";
import { datagram } from "@wice/node/datagram";
// biome-ignore lint/style/noRestrictedImports: what an agent seals with is not exported; alone it shows what is ours of the whole.
import { generateEphemeralKey } from "../../packages/node/src/datagram/ephemeral-key.ts";
// biome-ignore lint/style/noRestrictedImports: as above.
import { agreeSealingKeys, createSealing, sealedOverheadBytes } from "../../packages/node/src/datagram/sealing.ts";
import { median, ratios } from "./statistics.ts";
import type { Topic } from "./topic.ts";

const kinds = ["sealed", "bare"] as const;
/** The largest that an agent seals by default, and a small one. */
const sizes = [1_179, 64] as const;
const underWay = 48;
/** Nothing more comes: the rest was lost. */
const silenceMs = 200;

export const sealing: Topic = {
  name: "sealing",
  title: "Sealed datagrams: CPU of both ends together, beside bare ones",
  async measure({ quick }) {
    const [rounds, perTurn] = quick ? [5, 4_000] : [15, 10_000];
    const rows: (string | number)[][] = [];
    const bars: { what: string; value: number; limit: number; unit: string }[] = [];
    for (const size of sizes) {
      const micros = await carry(size, rounds, perTurn);
      const ratio = median(ratios(micros.sealed, micros.bare));
      for (const kind of kinds) {
        const each = median(micros[kind]);
        rows.push([
          `${size} bytes, ${kind}`,
          each,
          1_000_000 / each,
          (8 * size) / each,
          size + (kind === "sealed" ? sealedOverheadBytes : 0),
          kind === "sealed" ? ratio : 1,
        ]);
      }
      const alone = median(sealAndOpen(size, rounds, perTurn));
      rows.push([`${size} bytes, seal and open alone`, alone, 1_000_000 / alone, (8 * size) / alone, "", ""]);
      bars.push({ what: `${size} bytes, sealed to bare`, value: ratio, limit: 3, unit: "" });
    }
    return {
      method:
        `Two datagram agents in one process over loopback, one connection sealed and one bare, which take turns of ${perTurn} ` +
        "datagrams in each round, in changing order, after a warm-up: CPU time of the process, sending and receiving and " +
        "the kernel's part included, per datagram. The figures per second are what one core could do that does nothing " +
        "else. Ratios are medians of the ratios of rounds. Alone: no sockets, both ends' work.",
      table: {
        columns: ["datagrams", "µs of CPU", "per core and s", "Mbit/s per core", "bytes on the way", "to bare"],
        rows,
      },
      bars,
    };
  },
};

/** Microseconds of CPU for each datagram, by round. */
async function carry(size: number, rounds: number, perTurn: number): Promise<Record<(typeof kinds)[number], number[]>> {
  const pairs = { sealed: await open(true), bare: await open(false) };
  const micros = { sealed: [] as number[], bare: [] as number[] };
  try {
    // Compiling takes CPU as well.
    for (let i = 0; i < 3; i++) for (const kind of kinds) await turn(pairs[kind], size, 10_000);
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < kinds.length; i++) {
        const kind = kinds[(i + round) % kinds.length] ?? "bare";
        micros[kind].push(await turn(pairs[kind], size, perTurn));
      }
    }
    return micros;
  } finally {
    for (const kind of kinds) pairs[kind].close();
  }
}

async function open(protect: boolean): Promise<AgentPair> {
  const agent = datagram({ useAddress: ({ address }) => address === "127.0.0.1", protect });
  const pair = createAgentPair(agent, agent);
  await pair.negotiate();
  await pair.connected();
  return pair;
}

/** As many are under way at a time as the kernel has room for with any settings: lost ones would cost the recipient nothing. */
async function turn({ one, two }: AgentPair, size: number, count: number): Promise<number> {
  const message = new Uint8Array(size).fill(7);
  const done = Promise.withResolvers<void>();
  let sent = 0;
  let settled = 0;
  let lost = 0;
  let settledBefore = -1;
  const pump = (): void => {
    for (; sent < count && sent - settled < underWay; sent++) one.connection.main.send(message);
    if (settled === count) done.resolve();
  };
  two.connection.main.handlers = {
    onMessage() {
      settled += 1;
      pump();
    },
  };
  const watch = setInterval(() => {
    if (settled === settledBefore) {
      lost += sent - settled;
      settled = sent;
      pump();
    }
    settledBefore = settled;
  }, silenceMs);
  const before = process.cpuUsage();
  pump();
  await done.promise;
  const { user, system } = process.cpuUsage(before);
  clearInterval(watch);
  if (lost > 0.01 * count) throw new Error(`${lost} of ${count} datagrams were lost`);
  return (user + system) / count;
}

/** The same without sockets, in microseconds. */
function sealAndOpen(size: number, rounds: number, perTurn: number): number[] {
  const [ours, theirs] = [generateEphemeralKey(), generateEphemeralKey()];
  const keys = agreeSealingKeys("controlling", ours, theirs.publicKey);
  const [one, two] = [createSealing("controlling", keys), createSealing("controlled", keys)];
  const message = new Uint8Array(size).fill(7);
  const micros: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < perTurn; i++)
      if (two.open(one.seal(0, message)) === undefined) throw new Error("a datagram does not open");
    const { user, system } = process.cpuUsage(before);
    if (round >= 0) micros.push((user + system) / perTurn);
  }
  return micros;
}
