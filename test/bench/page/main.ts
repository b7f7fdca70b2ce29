/** The script of the measured page. */

import { exposeToTests } from "../../kit/page/expose.ts";
import type { BenchPage, Way } from "../bench-page.ts";
import { openBackends } from "./backends.ts";
import { openByHand } from "./by-hand.ts";
import type { PassMessage } from "./pass-message.ts";

const ways = new Map<Way, PassMessage>();

exposeToTests<BenchPage>({
  async prepare(relayUrl, warmUp) {
    ways.set("preset", await openBackends("preset", relayUrl));
    ways.set("own streams", await openBackends("own streams", relayUrl, { shareStream: false }));
    ways.set("by hand", await openByHand(relayUrl));
    for (const pass of ways.values()) await measure(pass, warmUp);
  },
  async pass(way, count) {
    const pass = ways.get(way);
    if (pass === undefined) throw new Error(`${way} is not prepared`);
    return await measure(pass, count);
  },
});

async function measure(pass: PassMessage, count: number): Promise<number[]> {
  const latenciesMs: number[] = [];
  for (let i = 0; i < count; i++) {
    const startMs = performance.now();
    await pass();
    latenciesMs.push(performance.now() - startMs);
  }
  return latenciesMs;
}
