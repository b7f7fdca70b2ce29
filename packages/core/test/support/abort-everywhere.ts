/** Aborts one operation at every point where it waits, and looks at what is left. */

import { type Backend, createBackend, generatePrivateKey, type PrivateKey } from "@wice/core";
import { createSeededRandom, createVirtualClock, type VirtualClock } from "@wice/core/testing";
import { expect } from "vitest";
import { createCountedController } from "./counted-signal.ts";
import { createTestRelay, type TestRelay } from "./relay.ts";

export interface Scene {
  readonly alice: { readonly backend: Backend; readonly key: PrivateKey };
  readonly bob: { readonly backend: Backend; readonly key: PrivateKey };
  readonly clock: VirtualClock;
  readonly relay: TestRelay;
}

export interface Operation {
  /** Before the operation, and not aborted. */
  prepare?(scene: Scene): Promise<unknown>;
  /** What is aborted. Resolves to something to clean up, if there is. */
  run(scene: Scene, signal: AbortSignal): Promise<{ close?(): Promise<void> } | undefined>;
}

/** Most of what happens is microtasks; now and then time has to pass. */
async function step(clock: VirtualClock, index: number): Promise<void> {
  if (index % 25 === 24) await clock.advance(300);
  else await Promise.resolve();
}

/**
 * Runs the operation again and again, aborted (or its backend closed) after 0, 1, 2, … steps, until it ends by itself.
 * Returns how many points there were.
 */
export async function abortEverywhere(how: "abort" | "close", { prepare, run }: Operation): Promise<number> {
  const reason = new Error("enough");
  const keys = [generatePrivateKey(), generatePrivateKey()] as const;
  for (let points = 0; ; points++) {
    const clock = createVirtualClock();
    const random = createSeededRandom(points).bytes;
    const relay = createTestRelay();
    const [alice, bob] = keys.map((key) => ({
      key,
      backend: createBackend(relay.connect(), { clock, random, lingerMs: 0 }),
    })) as [Scene["alice"], Scene["bob"]];
    const scene: Scene = { alice, bob, clock, relay };
    await prepare?.(scene);
    const before = { subscriptions: relay.subscriptions, timers: clock.pending };
    const controller = createCountedController();
    const outcome: { ended: boolean; result?: Awaited<ReturnType<Operation["run"]>>; error?: unknown } = {
      ended: false,
    };
    const done = run(scene, controller.signal).then(
      (result) => Object.assign(outcome, { ended: true, result }),
      (error: unknown) => Object.assign(outcome, { ended: true, error }),
    );
    for (let i = 0; i < points && !outcome.ended; i++) await step(clock, i);
    const { ended } = outcome;
    if (how === "abort") controller.abort(reason);
    else await alice.backend.close();
    await done;
    if (outcome.error !== undefined && how === "abort") expect(outcome.error).toBe(reason);
    await outcome.result?.close?.();
    await clock.advance(0);
    expect({ points, listeners: controller.listeners }).toEqual({ points, listeners: 0 });
    const after = { subscriptions: relay.subscriptions, timers: clock.pending };
    if (how === "abort") expect({ points, ...after }).toEqual({ points, ...before });
    await Promise.all([alice.backend.close(), bob.backend.close()]);
    await clock.advance(0);
    expect({ points, subscriptions: relay.subscriptions, timers: clock.pending }).toEqual({
      points,
      subscriptions: 0,
      timers: 0,
    });
    if (ended) return points;
  }
}
