/** How a command goes on after a session, by what it carries. */

import { type Session, WiceError } from "@wice/core";
import { expect, test } from "vitest";
import { carryToEnd, type SessionCarrier } from "../../src/cli/session-carrier.ts";

const { signal } = new AbortController();
const lost = { cause: "lost", reason: "no path for too long" } as const;
const session = { state: "closed", closed: Promise.resolve(lost) } as unknown as Session;

function carrier(lasts: boolean, error?: Error): SessionCarrier {
  return { lasts, carry: () => (error === undefined ? Promise.resolve() : Promise.reject(error)), close() {} };
}

test("a stream that is cut off is an error, and a tunnel that is cut off an end like others", async () => {
  const error = new WiceError("unavailable", "the session is lost");
  await expect(carryToEnd(carrier(false, error), session, signal)).rejects.toBe(error);
  expect(await carryToEnd(carrier(true, error), session, signal)).toEqual(lost);
  expect(await carryToEnd(carrier(true), session, signal)).toEqual(lost);
});

test("an error while the session is still there is an error for both, and so is being stopped", async () => {
  const error = new Error("nobody reads the output");
  const open = { ...session, state: "connected" } as Session;
  await expect(carryToEnd(carrier(true, error), open, signal)).rejects.toBe(error);
  const stopped = AbortSignal.abort(new Error("stopped"));
  await expect(carryToEnd(carrier(true, error), session, stopped)).rejects.toThrow("stopped");
});
