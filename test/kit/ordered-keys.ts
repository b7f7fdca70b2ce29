/** New keys as text, in the order that decides roles: the first is controlling. */

import { generatePrivateKey } from "@wice/node";

export interface TextKey {
  readonly privateKey: string;
  readonly publicKey: string;
}

export function orderedKeys(): readonly [TextKey, TextKey] {
  const keys = [generatePrivateKey(), generatePrivateKey()]
    .toSorted((a, b) => a.publicKey.compare(b.publicKey))
    .map((key) => ({
      privateKey: Buffer.from(key.exportKey()).toString("base64"),
      publicKey: key.publicKey.toString(),
    }));
  return keys as [TextKey, TextKey] & typeof keys;
}
