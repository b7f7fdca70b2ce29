import { type Envelope, generatePrivateKey, type PublicKey, randomBytes } from "@wice/core";

export function newKey(): PublicKey {
  return generatePrivateKey().publicKey;
}

const sender: PublicKey = newKey();

/** An envelope that can be told from every other. Key pairs are slow to make: its sender is always the same. */
export function envelopeFor(recipient: PublicKey, bodyBytes = 16): Envelope {
  return { sender, recipient, body: randomBytes(bodyBytes), nonce: randomBytes(24) };
}
