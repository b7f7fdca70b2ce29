/** What must be true whatever was said: no exception reaches the application, and an honest peer can still connect. */

import { afterAll, beforeAll, expect } from "vitest";
import { type Actor, everybody, listenTo, type Stage, text } from "../../support/stage.ts";

/** Fails the file when an error got away that nobody could catch. */
export function expectCalm(): void {
  const escaped: unknown[] = [];
  const note = (error: unknown): void => void escaped.push(error);
  beforeAll(() => {
    process.on("unhandledRejection", note).on("uncaughtException", note);
  });
  afterAll(async () => {
    await new Promise((resolve) => void setImmediate(resolve));
    process.off("unhandledRejection", note).off("uncaughtException", note);
    expect(escaped).toEqual([]);
  });
}

/** Whoever has the key in honesty connects and talks, within a minute. */
export async function expectOpen(stage: Stage, we: Actor, role: "controlling" | "controlled"): Promise<void> {
  const honest = stage.start(role, everybody);
  const startMs = stage.clock.now();
  const session = await stage.clock.runUntil(honest.call(we));
  await stage.clock.advance(10_000);
  const ours = we.sessions.find(({ instance }) => instance === honest.backend.instance);
  expect(ours?.state).toBe("connected");
  const heard = ours === undefined ? [] : listenTo(ours);
  await stage.clock.runUntil(session.send(text.encode("honest")));
  await stage.clock.advance(100);
  expect(heard).toEqual(["honest"]);
  expect(stage.clock.now() - startMs).toBeLessThan(60_000);
}
