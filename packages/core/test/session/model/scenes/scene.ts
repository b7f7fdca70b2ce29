/** A small play in calm weather, whose cast chance decides, in which DESIGN 6 says exactly what happens. */

import type { SeededRandom } from "@wice/core/testing";
import type { Description } from "../../../../src/session/description.ts";
import type { Actor, Stage } from "../../support/stage.ts";

export interface Scene {
  /** In the words of DESIGN 6. */
  readonly name: string;
  play(stage: Stage, chance: Chance): Promise<void>;
}

type Role = "controlling" | "controlled";

/** What chance decides. */
export interface Chance {
  /** Both ends count. */
  integer(least: number, most: number): number;
  yes(): boolean;
  pick<T>(of: readonly T[]): T;
  /** Ours, and theirs. */
  roles(): readonly [Role, Role];
}

export function createChance({ integer }: SeededRandom): Chance {
  const yes = (): boolean => integer(0, 1) === 1;
  return {
    integer,
    yes,
    pick: (of) => of[integer(0, of.length - 1)] as (typeof of)[number],
    roles: () => (yes() ? ["controlling", "controlled"] : ["controlled", "controlling"]),
  };
}

/** What the key of somebody has said, in order. */
export function words(stage: Stage, actor: Actor): readonly Description[] {
  return stage.saidBy(actor).map(({ description }) => description);
}

/** What all connections of somebody were asked to do, in order. */
export function doings({ agent }: Actor): readonly string[] {
  return agent.connections.flatMap(({ calls }) => calls);
}
