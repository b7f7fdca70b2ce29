/** The memory for calls under way, and how much of it the calls of one address may take. */

import type { AddressState } from "./connections.ts";
import type { RelayLimits } from "./limits.ts";
import type { Status } from "./status.ts";

/** What a call takes beside the bytes of its request, in Node and here: a round number. */
export const callBytes = 4_096;

const tooMuch: Status = {
  code: "resource-exhausted",
  message: "too many calls of this address are under way; try again in 1000 ms",
  retryAfterMs: 1_000,
};

/** Counts so many more bytes for an address, or returns the refusal. Whoever counted them gives them back. */
export function charge(address: AddressState, limits: RelayLimits, bytes: number): Status | undefined {
  if (address.pendingBytes + bytes > limits.maxPendingBytesPerAddress) return tooMuch;
  address.pendingBytes += bytes;
  return undefined;
}

/**
 * Adds a chunk to the `received` bytes of a request that are `held`.
 *
 * Node hands out slices of what it read from the socket, up to 64 KiB for everybody on the connection. What may wait in a
 * queue is copied, so that it does not keep all of that in memory. It grows with what has come, not with what was
 * announced.
 */
export function append(held: Buffer | undefined, received: number, chunk: Buffer): Buffer {
  const total = received + chunk.length;
  let bytes = held;
  if (bytes === undefined || bytes.length < total) {
    bytes = Buffer.allocUnsafeSlow(held === undefined ? total : Math.max(total, 2 * received));
    if (held !== undefined) held.copy(bytes, 0, 0, received);
  }
  bytes.set(chunk, received);
  return bytes;
}
