/** `wice key public` */

import { type Command, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { readKeyOption } from "./key-option.ts";
import { keyOption } from "./shared-options.ts";

export const keyPublic: Command = defineCommand({
  name: "key public",
  summary: "print the public key of a private key",
  positionals: [],
  options: { key: keyOption },
  about: ["Prints the public key, which is the name that peers know you by. It is no secret."],
  examples: ["wice key public --key alice.key", "wice key generate | tee secret | wice key public --key -"],
  async run({ options, io, out, signal }) {
    const { publicKey } = await readKeyOption(options.key, io, { signal });
    await out.line(publicKey.toString());
    return exitCode.ok;
  },
});
