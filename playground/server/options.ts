/** What stands behind `npm start --`. */

import { parseArgs } from "node:util";

export interface StartOptions {
  /** Undefined: the usual port when it is free, otherwise another. */
  readonly port: number | undefined;
  readonly relayPort: number | undefined;
  /** Other devices may come in. */
  readonly everywhere: boolean;
  readonly https: boolean;
  readonly help: boolean;
}

/** The command line is wrong; the text is one line for whoever wrote it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const help = `npm start: a relay, and a page with two peers that talk through it

Usage:
  npm start
  npm start -- [OPTIONS]

Options:
  --https            for phones and other computers: a certificate made here,
                     and every address of this machine
  --host             every address of this machine, over plain HTTP
  --port PORT        of the page (5173, or the next that is free)
  --relay-port PORT  of the relay (8080, or the next that is free)
  --help             print this

The page reaches the relay by its own address. To use another relay, add its URL
to the page's: /?relay=https://relay.example.org

Ctrl-C stops it. For a conversation in the terminal: npm run conversation
`;

const more = "npm start -- --help lists the options";

/** Throws {@link UsageError}. */
export function parseOptions(args: readonly string[]): StartOptions {
  const { values, tokens } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string" },
      "relay-port": { type: "string" },
      host: { type: "boolean" },
      https: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
    // Strict parsing has texts of its own, which explain too much.
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === "positional") throw new UsageError(`"${token.value}" is not an option; ${more}`);
    if (token.kind !== "option") continue;
    if (!known.has(token.name)) throw new UsageError(`${token.rawName} is not an option; ${more}`);
    if (flags.has(token.name) && token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
  }
  return {
    port: parsePort("--port", values.port),
    relayPort: parsePort("--relay-port", values["relay-port"]),
    everywhere: values.host === true || values.https === true,
    https: values.https === true,
    help: values.help === true,
  };
}

const flags: ReadonlySet<string> = new Set(["host", "https", "help"]);
const known: ReadonlySet<string> = new Set([...flags, "port", "relay-port"]);

function parsePort(option: string, text: string | boolean | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = typeof text === "string" && /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port >= 0 && port <= 65_535) return port;
  throw new UsageError(`${option} needs a number between 0 and 65535, for example ${option} 3000`);
}
