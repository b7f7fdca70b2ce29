/** `wice key generate` */

import { generatePrivateKey } from "../private-key.ts";
import { type Command, defineCommand } from "./command.ts";
import { printKey } from "./print-key.ts";

export const keyGenerate: Command = defineCommand({
  name: "key generate",
  summary: "make a private key",
  positionals: [],
  options: {
    out: { value: "FILE", help: "write it to a new file that only you can read, and print\nits public key instead" },
  },
  about: [
    "Prints a new private key: 32 random bytes in base64, as `wg genkey` does. Its\nowner is whoever has it: keep it in a file that nobody else can read.",
  ],
  examples: ["wice key generate --out alice.key", "(umask 077; wice key generate > alice.key)"],
  run: (invocation) => printKey(generatePrivateKey(), invocation.options.out, invocation),
});
