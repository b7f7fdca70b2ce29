/** The command `wice`: finds the command that is meant, runs it, and turns its end into an exit code. */

import { readFile } from "node:fs/promises";
import type { Command, Context } from "./command.ts";
import { connect } from "./connect.ts";
import { errorLines } from "./error-text.ts";
import { exitCode, interruptCode } from "./exit-code.ts";
import { commandHelp, groupHelp, programHelp } from "./help.ts";
import { Interrupted } from "./interrupted.ts";
import type { Io } from "./io.ts";
import { keyGenerate } from "./key-generate.ts";
import { keyPassphrase } from "./key-passphrase.ts";
import { keyPublic } from "./key-public.ts";
import { keyRole } from "./key-role.ts";
import { manifests } from "./kubernetes-manifests.ts";
import { listen } from "./listen.ts";
import { nearest } from "./nearest.ts";
import { createOutput, OutputClosed } from "./output.ts";
import { parseCommand } from "./parse-command.ts";
import { publish } from "./publish.ts";
import { relay } from "./relay.ts";
import { subscribe } from "./subscribe.ts";
import { UsageError } from "./usage-error.ts";

export type { Io } from "./io.ts";
export { processIo } from "./process-io.ts";

const commands: readonly Command[] = [
  relay,
  keyGenerate,
  keyPublic,
  keyRole,
  keyPassphrase,
  publish,
  subscribe,
  connect,
  listen,
  manifests,
];

/** Under npx one Ctrl-C arrives twice: from the terminal, and from npm, which passes on what it gets itself. */
const echoMs = 300;

/** Runs `wice` with the arguments after its name. Resolves with the exit code; never rejects. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const stop = new AbortController();
  const out = createOutput(io.stdout, io.env);
  const said = createOutput(io.stderr, io.env);
  const notes = { style: said.style, line: (text: string) => said.line(text).catch(() => {}) };
  let firstMs = 0;
  const forget = io.onInterrupt((signal) => {
    if (!stop.signal.aborted) {
      firstMs = performance.now();
      stop.abort(new Interrupted(signal));
    } else if (performance.now() - firstMs > echoMs) io.exit(interruptCode(signal));
  });
  let name = "wice";
  try {
    const { command, group, rest } = findCommand(argv);
    if (command === undefined) return await runProgram(group, rest, out);
    name = `wice ${command.name}`;
    return await runCommand(command, rest, { io, out, notes, signal: stop.signal });
  } catch (error) {
    if (error instanceof OutputClosed) return exitCode.ok;
    if (error instanceof Interrupted) {
      const code = interruptCode(error.signal);
      // What a reader has not taken by now would keep the process until it does.
      if (io.stdout.writableLength > 0) io.exit(code);
      return code;
    }
    const [line, ...trace] = errorLines(error, io.env);
    await notes.line([`${notes.style.red(`${name}:`)} ${line}`, ...trace].join("\n"));
    return error instanceof UsageError ? exitCode.usage : exitCode.failed;
  } finally {
    forget();
  }
}

/** Without a command: `--help` and `--version`, and the help of a group. */
async function runProgram(group: string, args: readonly string[], out: Context["out"]): Promise<number> {
  const [first] = args;
  if (group !== "") await out.line(groupHelp(group, commandsOf(group), out.style));
  else if (first === "--version" || first === "-v" || first === "-V") await out.line(`wice ${await readVersion()}`);
  else await out.line(programHelp(commands, out.style));
  return exitCode.ok;
}

async function runCommand(command: Command, args: readonly string[], context: Context): Promise<number> {
  const { help, positionals, options } = parseCommand(command, args);
  if (!help) return await command.run({ ...context, positionals, options });
  await context.out.line(commandHelp(command, context.out.style));
  return exitCode.ok;
}

interface Found {
  /** Undefined where the first words are the program's own options, or those of a group. */
  readonly command?: Command;
  /** The first word of several commands, or "". */
  readonly group: string;
  readonly rest: readonly string[];
}

function findCommand(argv: readonly string[]): Found {
  const [first, second] = argv;
  if (first === "help") return findCommand([...argv.slice(1), "--help"]);
  if (first === undefined) throw new UsageError("a command is missing; wice --help lists them");
  if (["--help", "-h", "--version", "-v", "-V"].includes(first)) return { group: "", rest: argv };
  if (first.startsWith("-"))
    throw new UsageError("a command comes first, its options after it; wice --help lists them");
  const command = commands.find(({ name }) => name === first || name === `${first} ${second}`);
  if (command !== undefined) return { command, group: "", rest: argv.slice(command.name.split(" ").length) };

  const known = commandsOf(first).map(({ name }) => name.slice(first.length + 1));
  if (known.length === 0)
    throw unknownCommand("wice", first, [...new Set(commands.map(({ name }) => name.split(" ")[0] ?? ""))]);
  if (second === "--help" || second === "-h") return { group: first, rest: ["--help"] };
  if (second === undefined || second.startsWith("-")) throw new UsageError(`${first} needs one of ${known.join(", ")}`);
  throw unknownCommand(`wice ${first}`, second, known);
}

function commandsOf(group: string): readonly Command[] {
  return commands.filter(({ name }) => name.startsWith(`${group} `));
}

function unknownCommand(before: string, word: string, known: readonly string[]): UsageError {
  const guess = nearest(word, known);
  // Repeated only where it looks like a command, and not like a key or a passphrase in the wrong place.
  const typed = `${before} ${word}`.slice("wice ".length);
  const shown = /^[a-z][a-z-]{0,15}$/.test(word) ? `unknown command "${typed}"` : "unknown command";
  return new UsageError(
    guess === undefined ? `${shown}; known are ${known.join(", ")}` : `${shown}; did you mean ${before} ${guess}?`,
  );
}

/** From package.json, which lies two folders up both for sources and for what is published. */
async function readVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}
