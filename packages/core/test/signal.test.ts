import { createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { abortable, onAbort, sleep } from "../src/async/signal.ts";
import { createCountedController } from "./support/counted-signal.ts";
import { rejectionOf } from "./support/errors.ts";

const reason = new Error("enough");

describe("onAbort", () => {
  test("calls once when aborted, and never after it was removed", () => {
    const controller = createCountedController();
    let [kept, removed] = [0, 0];
    onAbort(controller.signal, () => (kept += 1));
    onAbort(controller.signal, () => (removed += 1))();
    expect(controller.listeners).toBe(1);
    controller.abort(reason);
    controller.abort(reason);
    expect([kept, removed]).toEqual([1, 0]);
  });

  test("calls at once when it is too late to wait", () => {
    let calls = 0;
    onAbort(AbortSignal.abort(reason), () => (calls += 1));
    onAbort(undefined, () => (calls += 1))();
    expect(calls).toBe(1);
  });
});

describe("abortable", () => {
  test.each([
    ["resolves", () => Promise.resolve("value")],
    ["rejects", () => Promise.reject(new Error("no"))],
  ])("settles as the promise does when that %s, and leaves no listener", async (_, make) => {
    const controller = createCountedController();
    const settled = (p: Promise<unknown>) =>
      p.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
    expect(await settled(abortable(make(), controller.signal))).toEqual(await settled(make()));
    await new Promise(setImmediate);
    expect(controller.listeners).toBe(0);
  });

  test("rejects with the reason at the abort, and what the promise does later is nobody's concern", async () => {
    const controller = createCountedController();
    const late = Promise.withResolvers<void>();
    const rejected = rejectionOf(abortable(late.promise, controller.signal));
    expect(controller.listeners).toBe(1);
    controller.abort(reason);
    expect(await rejected).toBe(reason);
    // An unhandled rejection would fail the run.
    late.reject(new Error("too late"));
    await new Promise(setImmediate);
    expect(await rejectionOf(abortable(new Promise(() => {}), controller.signal))).toBe(reason);
  });
});

describe("sleep", () => {
  test("takes as long as it was told to, and leaves no listener", async () => {
    const clock = createVirtualClock();
    const controller = createCountedController();
    await clock.runUntil(sleep(clock, 1234, controller.signal));
    expect([clock.now(), controller.listeners, clock.pending]).toEqual([1234, 0, 0]);
  });

  test("ends with the reason at the abort, and leaves no timer", async () => {
    const clock = createVirtualClock();
    const controller = createCountedController();
    const rejected = rejectionOf(sleep(clock, 1234, controller.signal));
    controller.abort(reason);
    expect(await rejected).toBe(reason);
    expect(clock.pending).toBe(0);
    expect(await rejectionOf(sleep(clock, 1234, controller.signal))).toBe(reason);
    expect(clock.pending).toBe(0);
  });
});
