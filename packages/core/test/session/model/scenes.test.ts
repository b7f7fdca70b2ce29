/**
 * The model check in calm weather: every scene is played with many casts, and DESIGN 6 holds in all of them. What storms
 * cannot show, because anything may be late or lost there, shows here.
 */

import { createSeededRandom } from "@wice/core/testing";
import { expect, test } from "vitest";
import { createStage, makeKeys } from "../support/stage.ts";
import { recoveryScenes } from "./scenes/recovery.ts";
import { rolesScenes } from "./scenes/roles.ts";
import { createChance } from "./scenes/scene.ts";
import { timingScenes } from "./scenes/timing.ts";
import { whoAndWhyScenes } from "./scenes/who-and-why.ts";
import { whoseSessionScenes } from "./scenes/whose-session.ts";

const seed = Number(process.env.WICE_SEED ?? 7);
const casts = 12;
const keys = makeKeys();

test.each([timingScenes, whoseSessionScenes, rolesScenes, recoveryScenes, whoAndWhyScenes].flat())(
  "$name",
  async ({ play }) => {
    for (let i = 0; i < casts; i++) {
      const random = createSeededRandom(casts * seed + i);
      const stage = createStage(keys, random.integer(0, 1_000_000));
      await play(stage, createChance(random));
      expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
    }
  },
);
