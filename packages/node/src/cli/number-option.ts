/** Numbers among the options. */

import { UsageError } from "./usage-error.ts";

const most = 2 ** 31 - 1;
/** Eleven days. */
const mostSeconds = 1_000_000;

export function parseCount(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= most) return value;
  throw new UsageError(`--${name} must be a whole number from 1 to ${most}`);
}

/** Seconds, with decimals if need be, as milliseconds. */
export function parseSeconds(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{0,9}(\.\d{1,3})?$/.test(text) && text !== "" ? Number(text) : Number.NaN;
  if (value > 0 && value <= mostSeconds) return Math.round(value * 1000);
  throw new UsageError(`--${name} must be a number of seconds above 0 and up to ${mostSeconds}, for example 2.5`);
}
