import { systemClock } from "@wice/core";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Crowd, createCrowd } from "../src/connect/crowd.ts";
import { wiceError } from "./support/errors.ts";
import { stubGlobal } from "./support/globals.ts";

let name: string;
let rooms = 0;
beforeEach(() => {
  rooms += 1;
  name = `crowd ${rooms}`;
  // What pages and workers have, and Node has not.
  stubGlobal("location", { protocol: "http:" });
});

function tab(): Crowd {
  return createCrowd(name, systemClock);
}

/** Enters, and leaves when the test is over. */
async function enter(crowd: Crowd): Promise<void> {
  onTestFinished(() => crowd.leave());
  await crowd.enter();
}

describe("tabs that cannot share a stream", () => {
  test("are four, and a fifth is told to use https", async () => {
    for (let i = 0; i < 4; i++) await enter(tab());
    await expect(enter(tab())).rejects.toThrow(wiceError("resource-exhausted", /4 other tabs .* use https/));
  });

  test("are four, when ten ask at the same time", async () => {
    const asked = await Promise.allSettled(Array.from({ length: 10 }, () => enter(tab())));
    expect(asked.filter(({ status }) => status === "fulfilled")).toHaveLength(4);
  });

  test("make room when one of them leaves", async () => {
    const leaving = tab();
    await leaving.enter();
    for (let i = 0; i < 3; i++) await enter(tab());
    const waiting = tab();
    await expect(waiting.enter()).rejects.toThrow();
    waiting.leave();
    leaving.leave();
    await enter(waiting);
  });

  test("count one that has several subscriptions until the last of them has left", async () => {
    const several = tab();
    await Promise.all([several.enter(), several.enter()]);
    several.leave();
    for (let i = 0; i < 3; i++) await enter(tab());
    await expect(enter(tab())).rejects.toThrow();
    several.leave();
    await enter(tab());
  });

  test("do not wait for answers once they have left", async () => {
    const crowd = tab();
    const entered = crowd.enter();
    crowd.leave();
    const before = performance.now();
    await entered;
    expect(performance.now() - before).toBeLessThan(100);
  });
});

test("outside of browsers there is no limit", async () => {
  stubGlobal("location", undefined);
  await Promise.all(Array.from({ length: 10 }, () => enter(tab())));
});
