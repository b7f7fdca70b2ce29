/** `wice key passphrase` */

import { WiceError } from "@wice/core";
import { privateKeyFromPassphrase } from "@wice/core/passphrase";
import { nodeX25519 } from "../node-x25519.ts";
import { type Command, defineCommand } from "./command.ts";
import { printKey } from "./print-key.ts";
import { readSecret } from "./read-secret.ts";

export const keyPassphrase: Command = defineCommand({
  name: "key passphrase",
  summary: "make the private key of a group from its passphrase",
  positionals: [],
  options: {
    out: { value: "FILE", help: "write it to a new file that only you can read, and print\nits public key instead" },
  },
  about: [
    "Reads a passphrase from stdin (one line; a terminal does not show it) and prints\nthe private key that belongs to it, the same that cunīcu derives (Argon2id). It\ntakes about a second and 64 MiB.",
    "Whoever guesses the passphrase has the key: let it be long and random.",
  ],
  examples: ["wice key passphrase --out team.key", "wice key passphrase --out team.key < passphrase"],
  async run(invocation) {
    const { io, notes, signal } = invocation;
    const passphrase = await readSecret("Passphrase: ", io, { notes, signal });
    if (passphrase === undefined || passphrase === "") {
      throw new WiceError("invalid-argument", "the passphrase is empty; give it on stdin, in one line");
    }
    return await printKey(
      await privateKeyFromPassphrase(passphrase, { signal, x25519: nodeX25519 }),
      invocation.options.out,
      invocation,
    );
  },
});
