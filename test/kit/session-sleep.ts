/** What a session goes through while one of its sides sleeps. */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Change } from "./session-functions.ts";
import type { End } from "./session-meeting.ts";

/** Longer than ICE keeps a path that does not answer: 30 s by RFC 7675. */
export const sleepMs = 35_000;

/** Says something every second of that time, and then what it was. */
export async function sleepBeside(
  { process, session }: End,
  ms: number,
  wake: (texts: readonly string[]) => Promise<void>,
): Promise<void> {
  const texts = Array.from({ length: ms / 1_000 }, () => randomUUID());
  const sending: Promise<void>[] = [];
  for (const text of texts) {
    sending.push(process.call("send", session, text));
    await sleep(1_000);
  }
  await wake(texts);
  await Promise.all(sending);
}

/** It was lost, and then connected again, as the same session. */
export async function expectRecovered({ process, session }: End): Promise<void> {
  const { state, changes } = await process.call("report", session);
  console.log(`it saw: ${describeChanges(changes)}`);
  expect(state).toBe("connected");
  const types = changes.map(({ type }) => type).filter((type) => type !== "connection");
  expect(types.slice(0, 2)).toEqual(["reconnecting", "connected"]);
  expect(types).not.toContain("moved");
}

export function describeChanges(changes: readonly Change[]): string {
  const startedAt = changes[0]?.at ?? 0;
  return changes.map(({ type, at }) => `${type} after ${at - startedAt} ms`).join(", ") || "nothing";
}
