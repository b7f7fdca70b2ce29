/** When to stop: Ctrl-C, SIGTERM, or npm has gone. */

const lookEveryMs = 300;

/** Resolves with the next SIGINT or SIGTERM, which then do not end the process by themselves. */
export function nextSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}

/**
 * Resolves when npm, which started this process, is no more. A SIGTERM for npm ends npm and the shell that it runs
 * scripts in, and nobody tells the script. Never resolves for a process that was started otherwise: it may outlive whoever
 * did that.
 */
export function npmGone(): Promise<void> {
  const { npm_lifecycle_event: script } = process.env;
  const parent = process.ppid;
  return new Promise((resolve) => {
    if (script === undefined) return;
    const timer = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(timer);
      resolve();
    }, lookEveryMs);
    timer.unref();
  });
}
