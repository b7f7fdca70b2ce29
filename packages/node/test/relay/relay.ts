/** A relay that ends with the test. */

import { onTestFinished } from "vitest";
import { createRelay, type Relay, type RelayOptions } from "../../src/relay/index.ts";

export async function startRelay(options: RelayOptions = {}): Promise<Relay> {
  const relay = await createRelay(options);
  onTestFinished(() => relay.close({ graceMs: 0 }));
  return relay;
}

/** Waits until `condition` holds; the runner's timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
