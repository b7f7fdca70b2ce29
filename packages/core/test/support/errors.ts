import type { WiceErrorCode } from "@wice/core";
import { isWiceError } from "@wice/core";
import { expect } from "vitest";

/** For `toThrow` and `toSatisfy`: a WiceError of the code. */
export const hasCode = (code: WiceErrorCode): Error =>
  expect.toSatisfy((error: unknown) => isWiceError(error, code), `a WiceError with code ${code}`);

/** What the promise rejects with; a failure of the test when it resolves. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    () => ({ resolved: true as const }),
    (error: unknown) => ({ error }),
  );
  if ("resolved" in outcome) throw new Error("the promise resolved; it should have rejected");
  return outcome.error;
}
