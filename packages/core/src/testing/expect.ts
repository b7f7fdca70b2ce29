/** What a compliance case checks with: no test framework's, so that the suites run under any. */

import { isWiceError, type WiceErrorCode } from "../errors.ts";

/** A broken promise of the implementation under test. */
export function ensure(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new Error(`not compliant: ${promise}`);
}

/** The value, or an error that names what was awaited: suites never hang. */
export async function within<T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: unknown;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not compliant: ${what} took more than ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What the promise rejects with. */
export async function rejection(what: string, promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`not compliant: ${what} must reject`);
}

export async function rejectsWith(code: WiceErrorCode, what: string, promise: Promise<unknown>): Promise<void> {
  const error = await rejection(what, promise);
  ensure(isWiceError(error, code), `${what} must reject with ${code}, not with ${String(error)}`);
}
