/** Signals as one would send them by hand: JSON in envelopes of the relay, which nobody seals, acknowledges or repeats. */

import { decodeEnvelope, encodeEnvelope, generatePrivateKey, PublicKey } from "@wice/core";
import { listen, publish } from "../../page/hand-relay.ts";

export interface HandSignals<Signal> {
  readonly name: string;
  send(to: string, call: string, signal: Signal): void;
}

interface Sent<Signal> {
  readonly from: string;
  /** What the signal is about. */
  readonly call: string;
  readonly signal: Signal;
}

/** The relay wants one, and it means nothing here. */
const nonce = new Uint8Array(24);

/** Resolves when signals can come. */
export async function openHandSignals<Signal>(
  relay: string,
  onSignal: (sent: Sent<Signal>) => void,
): Promise<HandSignals<Signal>> {
  const sender = generatePrivateKey().publicKey;
  const name = sender.toString();
  await new Promise<void>((resolve, reject) => {
    const onFrame = (bytes: Uint8Array<ArrayBuffer>): void => {
      if (bytes.length === 0) return resolve();
      onSignal(JSON.parse(new TextDecoder().decode(decodeEnvelope(bytes).body)));
    };
    listen(relay, sender.toBytes(), onFrame).catch(reject);
  });
  return {
    name,
    send(to, call, signal) {
      const sent: Sent<Signal> = { from: name, call, signal };
      const body = new TextEncoder().encode(JSON.stringify(sent));
      void publish(relay, encodeEnvelope({ sender, recipient: PublicKey.parse(to), body, nonce }));
    },
  };
}
