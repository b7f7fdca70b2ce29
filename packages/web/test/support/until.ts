/** Waits for what other threads and the platform do in their own time. */

/** Resolves once the condition holds; fails with `what` after five seconds. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 5_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`it did not happen in five seconds: ${what}`);
    await new Promise(setImmediate);
  }
}
