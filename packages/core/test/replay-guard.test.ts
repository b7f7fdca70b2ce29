import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createReplayGuard, type Position } from "../src/backend/replay-guard.ts";
import { replayWindowSize } from "../src/backend/replay-window.ts";

const limits = { instances: 16, names: 1024 };
const name = (index: number): string => index.toString(16).padStart(32, "0");
const position = (instance: number, sequence: number, { fresh = false, acknowledge = false } = {}): Position => ({
  instance: name(instance),
  sequence,
  acknowledge,
  fresh,
});

describe("replay guard", () => {
  test("takes no message twice, however instances come, go and prove themselves", () => {
    fc.assert(
      fc.property(
        // More instances than either partition holds, so that windows are dropped and opened anew all the time.
        fc.array(
          fc.record({
            instance: fc.nat(60),
            ahead: fc.integer({ min: -3, max: 4 }),
            acknowledge: fc.boolean(),
            fresh: fc.boolean(),
          }),
          { minLength: 100, maxLength: 600 },
        ),
        (messages) => {
          const guard = createReplayGuard(() => limits);
          const taken = new Set<string>();
          const highest = new Map<string, number>();
          for (const { instance, ahead, acknowledge, fresh } of messages) {
            const space = `${instance} ${acknowledge}`;
            const sequence = Math.max(1, (highest.get(space) ?? 0) + ahead);
            const message = position(instance, sequence, { acknowledge, fresh });
            if (guard.look(message) !== "new") continue;
            expect(taken.has(`${space} ${sequence}`)).toBe(false);
            guard.mark(message);
            taken.add(`${space} ${sequence}`);
            highest.set(space, Math.max(highest.get(space) ?? 0, sequence));
            expect(guard.look(message)).toBe("seen");
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test("numbers that ask for acknowledgement and those that do not never get in each other's way", () => {
    const guard = createReplayGuard(() => limits);
    guard.mark(position(1, 5, { acknowledge: true }));
    for (let i = 1; i < 5 * replayWindowSize; i++) guard.mark(position(1, i));
    expect(guard.look(position(1, 4, { acknowledge: true }))).toBe("new");
    expect(guard.look(position(1, 5, { acknowledge: true }))).toBe("seen");
  });

  test("recordings of old instances push out no instance that has proven to live", () => {
    const guard = createReplayGuard(() => limits);
    guard.mark(position(0, 10, { fresh: true }));
    for (let i = 1; i <= 5000; i++) guard.mark(position(i, 1));
    // A dropped window would refuse everything up to 10.
    expect(guard.look(position(0, 9))).toBe("new");
    expect(guard.look(position(0, 10))).toBe("seen");
  });

  test("an instance that proves itself keeps what was noted of it before", () => {
    const guard = createReplayGuard(() => limits);
    guard.mark(position(0, 10));
    guard.mark(position(0, 12, { fresh: true }));
    for (let i = 1; i <= 100; i++) guard.mark(position(i, 1));
    expect(guard.look(position(0, 10))).toBe("seen");
    expect(guard.look(position(0, 11))).toBe("new");
  });

  test("an instance whose window was dropped is refused what it may have sent before", () => {
    const guard = createReplayGuard(() => limits);
    guard.mark(position(0, 10));
    for (let i = 1; i <= 16; i++) guard.mark(position(i, 1));
    for (const sequence of [1, 9, 10]) expect(guard.look(position(0, sequence))).toBe("stale");
    expect(guard.look(position(0, 11))).toBe("new");
  });

  test("an instance dropped from both partitions is refused up to the highest of its numbers", () => {
    const guard = createReplayGuard(() => limits);
    const pushOut = (fresh: boolean, from: number): void => {
      for (let i = from; i < from + 16; i++) guard.mark(position(i, 1, { fresh }));
    };
    guard.mark(position(0, 10, { fresh: true }));
    pushOut(true, 100);
    guard.mark(position(0, 20));
    pushOut(false, 200);
    expect(guard.look(position(0, 15))).toBe("stale");
    expect(guard.look(position(0, 20))).toBe("stale");
    expect(guard.look(position(0, 21))).toBe("new");
  });

  test("says so when it cannot tell a new instance from one that it has forgotten", () => {
    const guard = createReplayGuard(() => limits);
    const command = position(0, 1, { fresh: true });
    guard.mark(command);
    expect(guard.recognises(position(1, 1, { fresh: true }))).toBe(true);
    const instances = 2000;
    for (let i = 1; i < instances; i++) guard.mark(position(i, 1, { fresh: true }));
    // It looks like the first message of a new instance, and is not.
    expect(guard.look(command)).toBe("new");
    expect(guard.recognises(command)).toBe(false);
    expect(guard.recognises(position(instances - 1, 2, { fresh: true }))).toBe(true);
  });

  test("keeps no more than it is allowed to at the time", () => {
    let most = { instances: 2, names: 3 };
    const guard = createReplayGuard(() => most);
    let next = 0;
    const untilForgetful = (): number => {
      const first = next;
      while (guard.recognises(position(1_000_000, 1))) guard.mark(position(next++, 1, { fresh: true }));
      return next - first;
    };
    for (let i = 0; i < 5; i++) guard.mark(position(next++, 1, { fresh: true }));
    most = limits;
    expect(untilForgetful()).toBe(limits.instances + limits.names - 5 + 1);
    const small = createReplayGuard(() => ({ instances: 2, names: 3 }));
    for (let i = 0; i < 5; i++) small.mark(position(i, 1, { fresh: true }));
    expect(small.recognises(position(9, 1))).toBe(true);
    small.mark(position(5, 1, { fresh: true }));
    expect(small.recognises(position(9, 1))).toBe(false);
  });
});
