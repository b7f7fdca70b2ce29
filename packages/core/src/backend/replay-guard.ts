/** Which messages of one sender's key were already taken, over all its instances, in bounded memory. */

import { createLruMap, type LruMap } from "../lru-map.ts";
import type { Instance } from "./backend.ts";
import { createReplayWindow, type ReplayWindow } from "./replay-window.ts";

/** Where a message stands among those of its sender, from its header. */
export interface Position {
  readonly instance: Instance;
  readonly sequence: number;
  /** Counted apart from messages that do not ask for acknowledgement. */
  readonly acknowledge: boolean;
  /** It names our own instance: its sender has heard from us since our start. */
  readonly fresh: boolean;
}

export interface ReplayGuard {
  look(position: Position): "new" | "seen" | "stale";
  /** Notes that a `new` message was taken. */
  mark(position: Position): void;
  /** False when the instance is unknown and may be one that was forgotten even by name: the message may be a recording. */
  recognises(position: Position): boolean;
}

/** Per instance: two windows. When dropped, only the highest numbers are remembered, and all up to them refused. */
interface Windows {
  readonly acknowledged: ReplayWindow;
  readonly plain: ReplayWindow;
}
interface Floors {
  readonly acknowledged: number;
  readonly plain: number;
}

export interface ReplayGuardLimits {
  /** Instances whose windows are kept: so many that have proven to live, and so many that have not. */
  readonly instances: number;
  /** Instances beyond these that are remembered by name. */
  readonly names: number;
}

/**
 * Instances that have proven that they live (they named our instance) and those that have not are bounded apart: a
 * server that replays recordings of a key's old instances pushes out other unproven ones, never a live one.
 */
export function createReplayGuard(limits: () => ReplayGuardLimits): ReplayGuard {
  const proven = createInstances(limits);
  const unproven = createInstances(limits);

  const find = ({ instance }: Position): Windows | undefined => proven.get(instance) ?? unproven.get(instance);
  /** An instance may have been dropped from both, one after the other. */
  const floor = (instance: Instance, kind: keyof Floors): number =>
    Math.max(proven.floors(instance)?.[kind] ?? 0, unproven.floors(instance)?.[kind] ?? 0);
  const pick = (windows: Windows, { acknowledge }: Position): ReplayWindow =>
    acknowledge ? windows.acknowledged : windows.plain;
  const open = (position: Position): Windows => {
    const { instance, fresh } = position;
    const windows = find(position) ?? {
      acknowledged: createReplayWindow(floor(instance, "acknowledged")),
      plain: createReplayWindow(floor(instance, "plain")),
    };
    if (proven.get(instance) !== undefined) return windows;
    if (fresh) unproven.delete(instance);
    (fresh ? proven : unproven).set(instance, windows);
    return windows;
  };

  return {
    look(position) {
      const windows = find(position);
      if (windows !== undefined) return pick(windows, position).look(position.sequence);
      const { instance, sequence, acknowledge } = position;
      return sequence > floor(instance, acknowledge ? "acknowledged" : "plain") ? "new" : "stale";
    },
    mark(position) {
      pick(open(position), position).mark(position.sequence);
    },
    recognises({ instance }) {
      return !proven.forgetful || proven.get(instance) !== undefined || proven.floors(instance) !== undefined;
    },
  };
}

interface Instances {
  get(instance: Instance): Windows | undefined;
  set(instance: Instance, windows: Windows): void;
  delete(instance: Instance): void;
  floors(instance: Instance): Floors | undefined;
  /** Some are not even remembered by name. */
  readonly forgetful: boolean;
}

function createInstances(limits: () => ReplayGuardLimits): Instances {
  let forgetful = false;
  const dropped: LruMap<Instance, Floors> = createLruMap(
    () => limits().names,
    () => {
      forgetful = true;
    },
  );
  const live = createLruMap<Instance, Windows>(
    () => limits().instances,
    (instance, { acknowledged, plain }) => {
      dropped.set(instance, { acknowledged: acknowledged.highest, plain: plain.highest });
    },
  );
  return {
    get: (instance) => live.get(instance),
    set: (instance, windows) => live.set(instance, windows),
    delete: (instance) => live.delete(instance),
    floors: (instance) => dropped.get(instance),
    get forgetful() {
      return forgetful;
    },
  };
}
