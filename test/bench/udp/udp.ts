/** What a session costs the datagrams of a program: CPU of both `wice` together, beside bare `node:dgram` on the same way. */

import { type MeasuredServer, startServer } from "../relay/measured-server.ts";
import { median, ratios, withSpread } from "../statistics.ts";
import type { Bar, Topic } from "../topic.ts";
import { host, openSocket } from "./open-socket.ts";

/** What WireGuard sends for a full packet, about, and a small one. */
const sizes = [1_400, 64] as const;
const underWay = 48;
/** Nothing more comes: the rest was lost. */
const silenceMs = 200;

interface Subject {
  readonly name: string;
  readonly forwarder: MeasuredServer;
  readonly port: number;
  /** In CPU of the bare one. */
  readonly limit: number;
}

export const udp: Topic = {
  name: "udp",
  title: "Datagrams of programs (--udp): CPU of both ends together, beside bare node:dgram",
  async measure({ quick }) {
    const [rounds, perTurn] = quick ? [5, 4_000] : [15, 10_000];
    const rows: (string | number)[][] = [];
    const bars: Bar[] = [];
    await using programs = await openPrograms();
    const { port } = programs;
    await using bare = await startServer("../udp/bare-forwarder.ts", { SINK_PORT: String(port) });
    await using open = await startServer("../udp/wice-forwarder.ts", { SINK_PORT: String(port), PROTECT: "no" });
    await using sealed = await startServer("../udp/wice-forwarder.ts", { SINK_PORT: String(port), PROTECT: "yes" });
    const subjects = [
      { name: "bare node:dgram", forwarder: bare, limit: 1 },
      { name: "wice", forwarder: open, limit: 1.5 },
      // Most of it is two objects of node:crypto.
      { name: "wice, sealed", forwarder: sealed, limit: 3 },
    ].map((each): Subject => ({ ...each, port: Number(new URL(each.forwarder.url).port) }));
    for (const size of sizes) {
      const micros = await measureAll(subjects, programs, { size, rounds, perTurn });
      const [toBare = []] = micros;
      for (const [index, { name, limit }] of subjects.entries()) {
        const each = micros[index] ?? [];
        const ratio = ratios(each, toBare);
        rows.push([`${size} bytes, ${name}`, median(each), (8 * size) / median(each), withSpread(ratio)]);
        if (index > 0) bars.push({ what: `${size} bytes, ${name} to bare`, value: median(ratio), limit, unit: "" });
      }
    }
    return {
      method:
        `A program sends datagrams to the port of one end, ${underWay} under way at a time, and another one gets them from the ` +
        "other end; both ends are in one process, whose CPU time (user and system) is counted per datagram, and the " +
        "programs in another. Bare: four sockets of node:dgram that hand on what comes. All take turns of " +
        `${perTurn} datagrams in each round, in changing order, after a warm-up. Figures are medians of rounds; ratios are ` +
        "medians of the ratios of rounds, with the middle half of the rounds. Mbit/s: what two cores could do that do " +
        "nothing else, one at each end, is twice that.",
      table: { columns: ["datagrams", "µs of CPU", "Mbit/s per core", "to bare"], rows },
      bars,
    };
  },
};

interface Amounts {
  readonly size: number;
  readonly rounds: number;
  readonly perTurn: number;
}

/** Microseconds of CPU for each datagram, by subject and round. */
async function measureAll(
  subjects: readonly Subject[],
  programs: Programs,
  { size, rounds, perTurn }: Amounts,
): Promise<number[][]> {
  const micros = subjects.map((): number[] => []);
  // Compiling takes CPU as well.
  for (let i = 0; i < 3; i++) for (const { port } of subjects) await programs.carry(port, size, 10_000);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const index = (turn + round) % subjects.length;
      const { forwarder, port } = subjects[index] as Subject;
      const before = await forwarder.cpuMicros();
      await programs.carry(port, size, perTurn);
      micros[index]?.push(((await forwarder.cpuMicros()) - before) / perTurn);
    }
  }
  return micros;
}

/** One that sends, and one that gets what was sent. */
interface Programs extends AsyncDisposable {
  /** Where the one is that gets it. */
  readonly port: number;
  /** Resolves when so many have come. */
  carry(to: number, size: number, count: number): Promise<void>;
}

async function openPrograms(): Promise<Programs> {
  const [source, sink] = await Promise.all([openSocket(), openSocket()]);
  return {
    port: sink.address().port,
    async carry(to, size, count) {
      const message = Buffer.alloc(size, 7);
      const done = Promise.withResolvers<void>();
      let sent = 0;
      let settled = 0;
      let lost = 0;
      let settledBefore = -1;
      const pump = (): void => {
        for (; sent < count && sent - settled < underWay; sent++) source.send(message, to, host, () => {});
        if (settled >= count) done.resolve();
      };
      const onMessage = (): void => {
        settled += 1;
        pump();
      };
      sink.on("message", onMessage);
      const watch = setInterval(() => {
        if (settled === settledBefore) {
          lost += sent - settled;
          settled = sent;
          pump();
        }
        settledBefore = settled;
      }, silenceMs);
      pump();
      await done.promise;
      clearInterval(watch);
      sink.off("message", onMessage);
      if (lost > 0.01 * count) throw new Error(`${lost} of ${count} datagrams were lost`);
    },
    async [Symbol.asyncDispose]() {
      source.close();
      sink.close();
    },
  };
}
