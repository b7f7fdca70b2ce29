/** How fast it goes: as much as the other side takes, for a few seconds. The receiver counts. */

import type { Channel, Session } from "@wice/core";

const label = "throughput";
const forMs = 3_000;
/** What is under way at the end has to arrive, and the answer to come back. */
const answerMs = 20_000;
const messageBytes = 65_536;

export function isThroughput({ label: given }: Channel): boolean {
  return given === label;
}

/**
 * Resolves with bytes per second, as the receiver has counted them. Rejects when the connection is lost meanwhile, and
 * with a `TimeoutError` where nobody counts.
 */
export async function measureThroughput(session: Session): Promise<number> {
  const channel = session.channel(label);
  const signal = AbortSignal.timeout(forMs + answerMs);
  const late = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  late.catch(() => {});
  const answers = channel[Symbol.asyncIterator]();
  const message = new Uint8Array(Math.min(messageBytes, channel.maxMessageBytes));
  const endMs = performance.now() + forMs;
  try {
    while (performance.now() < endMs) await channel.send(message, { signal });
    // One byte: that was all.
    await channel.send(new Uint8Array(1), { signal });
    const { done, value } = await Promise.race([answers.next(), late]);
    if (done === true) throw new Error("the other side has closed the channel");
    return Number(JSON.parse(new TextDecoder().decode(value)).bytesPerSecond);
  } finally {
    void channel.close();
  }
}

export async function countThroughput(channel: Channel): Promise<void> {
  let bytes = 0;
  let startMs: number | undefined;
  for await (const message of channel) {
    startMs ??= performance.now();
    if (message.length > 1) {
      bytes += message.length;
      continue;
    }
    const bytesPerSecond = (bytes / Math.max(1, performance.now() - startMs)) * 1_000;
    await channel.send(new TextEncoder().encode(JSON.stringify({ bytesPerSecond })));
  }
}
