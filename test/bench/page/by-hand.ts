/**
 * What one could write in an hour instead: a `fetch` for each message and one for the stream, with bytes that are made
 * before. Nothing is sealed, opened, decoded, checked or repeated.
 */

import { encodeEnvelope, encodeMessage, generatePrivateKey, seal } from "@wice/core";
import { listen, publish } from "./hand-relay.ts";
import { type PassMessage, payloadBytes } from "./pass-message.ts";

export async function openByHand(relay: string): Promise<PassMessage> {
  const [ours, theirs] = [generatePrivateKey(), generatePrivateKey().publicKey];
  const payload = crypto.getRandomValues(new Uint8Array(payloadBytes));
  const envelope = encodeEnvelope(await seal({ ours, theirs }, encodeMessage({ payload })));
  let onFrame = (): void => {};
  const nextFrame = (): Promise<void> =>
    new Promise((resolve) => {
      onFrame = resolve;
    });
  const subscribed = nextFrame();
  void listen(relay, theirs.toBytes(), () => onFrame());
  await subscribed;

  return async () => {
    const received = nextFrame();
    await publish(relay, envelope);
    await received;
  };
}
