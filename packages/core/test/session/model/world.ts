/** Two keys, their processes, and the network between them; and what has to be true of them at all times and at the end. */

import { generatePrivateKey, type PrivateKey } from "@wice/core";
import { createSeededRandom, createVirtualClock, type SeededRandom, type VirtualClock } from "@wice/core/testing";
import { createCountingX25519 } from "../../support/counting-x25519.ts";
import { createFakeNetwork, type FakeNetwork } from "../support/fake-agent.ts";
import { type Process, type ProcessOptions, startProcess } from "./process.ts";
import type { Talk } from "./talk.ts";
import { createWire, type Wire } from "./wire.ts";

export interface World {
  readonly clock: VirtualClock;
  readonly wire: Wire;
  readonly paths: FakeNetwork;
  readonly random: SeededRandom;
  /** Two for each key: 0 and 1 have one, 2 and 3 the other. */
  readonly slots: readonly (Process | undefined)[];
  /** All that there were. */
  readonly processes: readonly Process[];
  start(slot: number, options: ProcessOptions): void;
}

/** The same in all runs, so that the two keys are agreed on once. */
export const keys: readonly PrivateKey[] = makeKeys();

function makeKeys(): PrivateKey[] {
  const { bytes } = createSeededRandom(1);
  const x25519 = createCountingX25519();
  return [generatePrivateKey({ random: bytes, x25519 }), generatePrivateKey({ random: bytes, x25519 })];
}

export function createWorld(seed: number): World {
  const random = createSeededRandom(seed);
  const clock = createVirtualClock();
  const wire = createWire(clock, random);
  const paths = createFakeNetwork(clock);
  const slots: (Process | undefined)[] = [undefined, undefined, undefined, undefined];
  const processes: Process[] = [];
  let talks = 0;
  const surroundings = {
    ...{ clock, wire, paths, random },
    nextTalk() {
      talks += 1;
      return talks;
    },
  };

  return {
    ...{ clock, wire, paths, random, slots, processes },
    start(slot, options) {
      const side = slot < 2 ? 0 : 1;
      const [ours, theirs] = [keys[side], keys[1 - side]] as [PrivateKey, PrivateKey];
      const process = startProcess(ours, theirs.publicKey, options, surroundings);
      slots[slot] = process;
      processes.push(process);
    },
  };
}

/** Processes that run, of the other key than the one in a slot. */
function others({ slots }: World, slot: number): Process[] {
  return slots.filter((process, other) => process?.state === "running" && slot < 2 !== other < 2) as Process[];
}

/** Whether a process would talk to the other key now. */
function welcomes({ accepts, calls, called }: Process): boolean {
  return accepts === "yes" || calls.size > 0 || [...called].some(({ state }) => state !== "closed");
}

/** Who still calls, though somebody would answer; in words for whoever reads the failure. */
export function unanswered(world: World): string[] {
  return eachRunning(world, (process, slot) =>
    process.calls.size > 0 && others(world, slot).some(welcomes)
      ? [`slot ${slot} still calls: ${process.peer.explain(theirKey(slot)).code}`]
      : [],
  );
}

/** Sessions that are lost, though somebody would take them; and who does not get away. */
export function lost(world: World): string[] {
  const leaving = world.slots.flatMap((process, slot) =>
    process?.state === "leaving" ? [`slot ${slot} is leaving`] : [],
  );
  const sessions = eachRunning(world, ({ talks }, slot) => {
    const instances = new Set(talks.filter(isConnected).map(({ session }) => session.instance));
    const isLosing = others(world, slot).some((other) => welcomes(other) && !instances.has(other.instance));
    if (!isLosing) return [];
    return talks
      .filter(({ session }) => session.state === "reconnecting")
      .map(({ number }) => `talk ${number} of slot ${slot} is lost`);
  });
  return [...leaving, ...sessions];
}

function eachRunning({ slots }: World, tell: (process: Process, slot: number) => string[]): string[] {
  return slots.flatMap((process, slot) => (process?.state === "running" ? tell(process, slot) : []));
}

/** Of those that run. */
export function connectedTalks({ slots }: World): Talk[] {
  return slots.flatMap((process) => (process?.state === "running" ? process.talks.filter(isConnected) : []));
}

/** It calls, or looks for a session that it has lost. */
export function isWaiting({ calls, talks }: Process): boolean {
  return calls.size > 0 || talks.some(({ session }) => session.state === "reconnecting");
}

function isConnected({ session }: Talk): boolean {
  return session.state === "connected";
}

function theirKey(slot: number): PrivateKey["publicKey"] {
  return (keys[slot < 2 ? 1 : 0] as PrivateKey).publicKey;
}

/** Every session that is connected talks to one that talks to it; of two processes, there is at most one. */
export async function disagreements(world: World): Promise<string[]> {
  const running = world.slots.filter((process) => process?.state === "running") as Process[];
  const all = running.flatMap((process) => process.talks.map((talk) => ({ talk, process })));
  const connected = all.filter(({ talk }) => isConnected(talk));
  for (const { talk } of connected) talk.ask();
  await world.clock.advance(1_000);
  const found: string[] = [];
  const pairs = new Set<string>();
  for (const { talk, process } of connected) {
    const other = all.find(({ talk: { number } }) => number === talk.partner);
    if (other?.talk.partner !== talk.number) {
      found.push(`talk ${talk.number} is with ${talk.partner}, which is with ${other?.talk.partner}`);
      continue;
    }
    const pair = `${world.slots.indexOf(process)} and ${world.slots.indexOf(other.process)}`;
    if (pairs.has(pair)) found.push(`slots ${pair} have two sessions`);
    pairs.add(pair);
  }
  return found;
}

/** What came is what was said, in order, each once; without gap where no session moved. */
export function garbles({ processes }: World): string[] {
  const talks = processes.flatMap((process) => process.talks);
  return talks.flatMap((hearer) =>
    [...hearer.heard].flatMap(([number, heard]) => {
      const speaker = talks.find((talk) => talk.number === number);
      const moved = speaker?.statuses.includes("moved") !== false;
      const wrong = heard.some((n, index) =>
        moved ? index > 0 && n <= (heard[index - 1] as number) : n !== index + 1,
      );
      return wrong ? [`talk ${hearer.number} heard of ${number}: ${heard.join(" ")}`] : [];
    }),
  );
}
