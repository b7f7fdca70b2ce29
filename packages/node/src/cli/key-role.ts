/** `wice key role` */

import { electRole } from "@wice/core";
import { type Command, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { readKeyOption } from "./key-option.ts";
import { checkOther, parsePeer } from "./peer-argument.ts";
import { keyOption } from "./shared-options.ts";

export const keyRole: Command = defineCommand({
  name: "key role",
  summary: "print which of two peers is the controlling one",
  positionals: ["OTHER"],
  options: { key: keyOption },
  about: [
    "Prints our role towards the peer with the public key OTHER: `controlling` or\n`controlled`. The peer with the smaller public key is controlling; the bytes are\ncompared as a big-endian number, so both sides come to the same result.",
  ],
  examples: ['wice key role "$(wice key public --key bob.key)" --key alice.key'],
  async run({ positionals, options, io, out, signal }) {
    const other = parsePeer("OTHER", positionals[0] ?? "");
    const { publicKey } = await readKeyOption(options.key, io, { signal });
    checkOther("OTHER", other, publicKey);
    await out.line(electRole(publicKey, other));
    return exitCode.ok;
  },
});
