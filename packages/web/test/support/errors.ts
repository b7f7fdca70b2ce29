import { isWiceError, type WiceErrorCode } from "@wice/core";
import { expect } from "vitest";

/** For `toThrow` and `rejects.toEqual`: a WiceError of the code, whose text matches. */
export const wiceError = (code: WiceErrorCode, text: RegExp = /./): Error =>
  expect.toSatisfy(
    (error: unknown) => isWiceError(error, code) && text.test(error.message),
    `a WiceError with code ${code} that says ${text}`,
  );

/** What the promise rejects with; a failure of the test when it resolves. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    () => ({ resolved: true as const }),
    (error: unknown) => ({ error }),
  );
  if ("resolved" in outcome) throw new Error("the promise resolved; it should have rejected");
  return outcome.error;
}
