/** Time as an input, so that a test can run hours in milliseconds. */

export interface Clock {
  /** Milliseconds, monotonic, from any start. */
  now(): number;
  /** Calls back once after `delayMs`, unless cancelled. */
  schedule(delayMs: number, callback: () => void): Timer;
}

export interface Timer {
  /** Idempotent. */
  cancel(): void;
}

/** 24.8 days. Platforms fire timers that are set for longer at once. */
const longestDelayMs = 0x7fff_ffff;

/** The platform's time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, longestDelayMs));
    return { cancel: () => clearTimeout(timer) };
  },
};
