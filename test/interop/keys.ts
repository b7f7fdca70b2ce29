/** Key pairs made by Node's own X25519, for tests whose other side shares no code with us. */

import { generateKeyPairSync } from "node:crypto";

export interface TestPair {
  /** Base64, as WireGuard prints it. */
  readonly private: string;
  readonly public: string;
  readonly publicBytes: Uint8Array<ArrayBuffer>;
}

export function generatePair(): TestPair {
  const { privateKey } = generateKeyPairSync("x25519");
  const { d, x } = privateKey.export({ format: "jwk" });
  const [secret, publicBytes] = [d, x].map((part) => Buffer.from(part as string, "base64url")) as [Buffer, Buffer];
  return {
    private: secret.toString("base64"),
    public: publicBytes.toString("base64"),
    publicBytes: new Uint8Array(publicBytes),
  };
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
