/** Known answers of the Go implementation. */

import { readFileSync } from "node:fs";

interface Vectors {
  readonly keys: readonly { readonly privateKey: string; readonly privateKeyHex: string; readonly publicKey: string }[];
  readonly pairs: readonly {
    readonly ours: string;
    readonly oursPublic: string;
    readonly theirs: string;
    readonly ourRole: string;
    readonly x25519SharedHex: string;
  }[];
  readonly passphrases: readonly {
    readonly passphrase: string;
    readonly privateKey: string;
    readonly publicKey: string;
  }[];
  readonly envelopes: readonly {
    readonly name: string;
    readonly sender: string;
    readonly senderPrivateKey: string;
    readonly recipient: string;
    readonly recipientPrivateKey: string;
    readonly messageHex: string;
    readonly nonceHex: string;
    readonly bodyHex: string;
    readonly envelopeHex: string;
  }[];
}

const file = new URL("../../../../test/vectors/cunicu.json", import.meta.url);
export const vectors: Vectors = JSON.parse(readFileSync(file, "utf8"));
