/** A rate limit: tokens come at a steady rate, wait in a bucket of limited size, and each permits one thing. */

import type { Rate } from "./limits.ts";

/** What is used up; full when `used` is 0. A record, since there is one for every key and address. */
export interface TokenBucket {
  used: number;
  /** When `used` was last brought up to date, in milliseconds of a monotonic clock. */
  atMs: number;
}

export function createBucket(): TokenBucket {
  return { used: 0, atMs: 0 };
}

/** Takes a token and returns 0, or returns how many milliseconds to wait for one. */
export function takeToken(bucket: TokenBucket, rate: Rate, nowMs: number): number {
  if (rate.perSecond === Number.POSITIVE_INFINITY) return 0;
  const used = Math.max(0, bucket.used - ((nowMs - bucket.atMs) * rate.perSecond) / 1_000);
  bucket.atMs = nowMs;
  if (used + 1 > rate.burst) {
    bucket.used = used;
    return ((used + 1 - rate.burst) * 1_000) / rate.perSecond;
  }
  bucket.used = used + 1;
  return 0;
}

/** Whether nothing would be forgotten with this bucket. */
export function isFull(bucket: TokenBucket, rate: Rate, nowMs: number): boolean {
  return bucket.used <= ((nowMs - bucket.atMs) * rate.perSecond) / 1_000;
}
