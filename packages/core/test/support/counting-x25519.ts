import { nobleX25519, type PublicKey, type X25519 } from "@wice/core";

export interface CountingX25519 extends X25519 {
  /** Key agreements that were asked for, by the other side's key, in order. */
  readonly agreements: PublicKey[];
}

/** Counts key agreements. The same pair is computed once, so that tests with many envelopes are quick. */
export function createCountingX25519(): CountingX25519 {
  const agreements: PublicKey[] = [];
  return {
    agreements,
    fromPrivateKey(bytes) {
      const inner = nobleX25519.fromPrivateKey(bytes);
      const secrets = new Map<string, Promise<Uint8Array>>();
      return {
        ...inner,
        sharedSecret(theirs, options) {
          agreements.push(theirs);
          const text = theirs.toString();
          const secret = secrets.get(text) ?? inner.sharedSecret(theirs, options);
          secrets.set(text, secret);
          return secret;
        },
      };
    },
  };
}
