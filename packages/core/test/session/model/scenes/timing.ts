/** DESIGN 6, its beginning and "Timing": what is said, and when. */

import { decodeMessage, type Envelope, open } from "@wice/core";
import { expect } from "vitest";
import { maxCandidates } from "../../../../src/session/description.ts";
import { everybody } from "../../support/stage.ts";
import { type Chance, doings, type Scene, words } from "./scene.ts";

const gaps = (times: readonly number[]): number[] => times.slice(1).map((time, i) => time - (times[i] as number));

/** Candidates in groups: each within a millisecond, far from the next. */
function inGroups(chance: Chance): { readonly gatherMs: readonly number[]; readonly groups: number } {
  const groups = chance.integer(1, 3);
  const starts = Array.from({ length: groups }, (_, i) => (i === 0 ? chance.integer(1, 60) : 100 * i));
  const gatherMs = starts.flatMap((start) => Array.from({ length: chance.integer(2, 3) }, (_, i) => start + i / 2));
  return { gatherMs, groups };
}

export const timingScenes: readonly Scene[] = [
  {
    name: "the first message leaves with the first candidates, at the latest after 20 ms; later ones coalesce",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const { gatherMs, groups } = inGroups(chance);
      const caller = stage.start(ours, { agent: { gatherMs } });
      caller.call(stage.start(theirs)).catch(() => {});
      // The first repetition comes after 375 ms at the earliest.
      await stage.clock.advance(350);
      const said = stage.saidBy(caller);
      const [first] = said;
      const firstMs = gatherMs[0] as number;
      expect(first?.description).toMatchObject({ kind: "offer", epoch: 1 });
      // The agent takes a millisecond for its offer.
      expect(first?.atMs).toBeLessThanOrEqual(21);
      if (firstMs < 17) expect(first?.description.candidates.length).toBeGreaterThan(0);
      if (firstMs > 21) expect(first).toMatchObject({ atMs: 21, description: { candidates: [] } });
      expect(said.length).toBeLessThanOrEqual(groups + (firstMs < 17 ? 0 : 1));
      expect(said.at(-1)?.description.candidates).toHaveLength(gatherMs.length);
    },
  },
  {
    name: "candidates that are found are bounded",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const gatherMs = Array.from({ length: 2 * maxCandidates }, (_, i) => i);
      const [caller, called] = [stage.start(ours, { agent: { gatherMs } }), stage.start(theirs)];
      caller.call(called).catch(() => {});
      await stage.clock.advance(1_000);
      // As they are sent: who reads them takes no more either.
      const last = stage.saidBy(caller).at(-1)?.envelope as Envelope;
      const { session } = decodeMessage(await open(called.key, last));
      expect(session?.candidates).toHaveLength(maxCandidates);
    },
  },
  {
    name: "re-sent with backoff and jitter, at most 4 s apart while a connect waits",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const caller = stage.start(ours);
      caller.call(stage.start(theirs)).catch(() => {});
      await stage.clock.advance(40_000);
      const waits = gaps(stage.saidBy(caller).map(({ atMs }) => atMs));
      const full = waits.map((_, i) => Math.min(4_000, 500 * 2 ** i));
      for (const [i, wait] of waits.entries()) {
        expect(wait).toBeGreaterThanOrEqual(0.75 * (full[i] as number) - 1);
        expect(wait).toBeLessThanOrEqual((full[i] as number) + 1);
      }
      expect(waits.length).toBeGreaterThan(8);
      expect(waits.filter((wait, i) => wait < (full[i] as number) - 1).length).toBeGreaterThan(waits.length / 2);
    },
  },
  {
    name: "re-sent at most a minute apart when nobody waits any more",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const [caller, called] = [stage.start(ours, everybody), stage.start(theirs, everybody)];
      await stage.clock.runUntil(caller.call(called));
      await stage.clock.advance(chance.integer(0, 2_000));
      called.vanish();
      await stage.clock.advance(10 * 60_000);
      const { length } = stage.saidBy(caller);
      await stage.clock.advance(20 * 60_000);
      const waits = gaps(
        stage
          .saidBy(caller)
          .slice(length)
          .map(({ atMs }) => atMs),
      );
      expect(waits.length).toBeGreaterThan(15);
      expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
      expect(Math.max(...waits)).toBeGreaterThan(4_001);
    },
  },
  {
    name: "each message holds all, and silence follows when the other side has it",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const agent = { gatherMs: [2, 60, 120] };
      const [caller, called] = [stage.start(ours, { agent }), stage.start(theirs, { ...everybody, agent })];
      // No path, so that all goes over the backend.
      stage.paths.setUp(false);
      caller.call(called).catch(() => {});
      await stage.clock.advance(1_000);
      for (const { candidates, candidateCount, ufrag } of stage.wire.said.map(({ description }) => description)) {
        expect(candidates).toHaveLength(candidateCount);
        expect(ufrag).not.toBe("");
      }
      expect([words(stage, caller).at(-1), words(stage, called).at(-1)]).toMatchObject([
        { kind: "offer", candidateCount: 3, received: { kind: "answer", epoch: 1, candidates: 3 } },
        { kind: "answer", candidateCount: 3, received: { kind: "offer", epoch: 1, candidates: 3 } },
      ]);
      const { length } = stage.wire.said;
      await stage.clock.advance(8_000);
      expect(stage.wire.said).toHaveLength(length);
      expect(doings(called).filter((call) => call === "answer")).toHaveLength(1);
    },
  },
  {
    name: "what comes late says nothing new",
    async play(stage, chance) {
      const [ours, theirs] = chance.roles();
      const agent = { gatherMs: [2, 60], canRestart: chance.yes() };
      const [caller, called] = [stage.start(ours, { agent }), stage.start(theirs, { ...everybody, agent })];
      let late: Envelope | undefined;
      stage.wire.passes = ({ from, description, envelope }) => {
        if (late !== undefined || !from.equals(caller.key.publicKey) || description.candidates.length < 2) return true;
        late = envelope;
        return false;
      };
      // No path: what is said, is said over the backend, and sooner or later there is a second offer.
      stage.paths.setUp(false);
      caller.call(called).catch(() => {});
      await stage.clock.advance(18_000);
      const { length } = words(stage, called);
      expect(words(stage, called).at(-1)?.received?.epoch).toBeGreaterThan(1);
      await stage.wire.replay(late as Envelope);
      await stage.clock.advance(10_000);
      for (const { received } of words(stage, called).slice(length)) expect(received?.epoch).toBeGreaterThan(1);
      expect(words(stage, called).length).toBeGreaterThan(length);
    },
  },
];
