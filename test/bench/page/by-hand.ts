/**
 * What one could write in an hour instead: a `fetch` for each message and one for the stream, with bytes that are made
 * before. Nothing is sealed, opened, decoded, checked or repeated.
 */

import { encodeEnvelope, encodeMessage, generatePrivateKey, seal } from "@wice/core";
import { type PassMessage, payloadBytes } from "./pass-message.ts";

const prefixBytes = 5;

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
    const answer = await fetch(new URL("/cunicu.signaling.Signaling/Publish", relay), {
      method: "POST",
      headers: { "content-type": "application/proto", "connect-protocol-version": "1" },
      body: envelope,
    });
    await answer.arrayBuffer();
    await received;
  };
}

async function listen(relay: string, key: Uint8Array, onFrame: () => void): Promise<void> {
  // ListenRequest { keys: [key] }, with its length before it.
  const request = Uint8Array.of(0, 0, 0, 0, 2 + key.length, 0x0a, key.length, ...key);
  const answer = await fetch(new URL("/wice.v1.Relay/Listen", relay), {
    method: "POST",
    headers: { "content-type": "application/connect+proto", "connect-protocol-version": "1" },
    body: request,
  });
  let rest = new Uint8Array(0);
  for await (const chunk of answer.body ?? []) {
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    let at = 0;
    while (bytes.length - at >= prefixBytes) {
      const end = at + prefixBytes + new DataView(bytes.buffer).getUint32(at + 1);
      if (bytes.length < end) break;
      at = end;
      onFrame();
    }
    rest = bytes.slice(at);
  }
}
