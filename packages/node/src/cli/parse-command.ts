/** From the words after a command's name to its options: every mistake is one clear line, and repeats no value. */

import { parseArgs } from "node:util";
import type { Command, Option, Options, OptionValues } from "./command.ts";
import { usage } from "./help.ts";
import { nearest } from "./nearest.ts";
import { UsageError } from "./usage-error.ts";

export interface Parsed {
  /** `--help` was given: nothing else was checked. */
  readonly help: boolean;
  readonly positionals: readonly string[];
  readonly options: OptionValues<Options>;
}

/**
 * Not `parseArgs`' own strict mode, whose messages quote what was typed: a key, perhaps. Names of options are repeated,
 * values and arguments never.
 */
export function parseCommand(command: Command, args: readonly string[]): Parsed {
  const { tokens } = parseArgs({
    args: [...args],
    options: { ...parserOptions(command.options), help: { type: "boolean", short: "h" } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  if (tokens.some((token) => token.kind === "option" && token.name === "help")) {
    return { help: true, positionals: [], options: {} };
  }
  const positionals: string[] = [];
  const given = new Map<string, (string | true)[]>();
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(command.options, token.name) ? command.options[token.name] : undefined;
    if (option === undefined) throw unknownOption(command, token.rawName);
    const values = given.get(token.name) ?? [];
    values.push(checkValue(token.name, option, token));
    if (values.length > 1 && option.multiple !== true) throw new UsageError(`--${token.name} is given more than once`);
    given.set(token.name, values);
  }
  checkPositionals(command, positionals.length);
  return { help: false, positionals, options: collect(command, given) };
}

function parserOptions(options: Options): Record<string, { type: "string" | "boolean" }> {
  const typed = ([name, { value }]: [string, Option]) =>
    [name, { type: value === undefined ? "boolean" : "string" }] as const;
  return Object.fromEntries(Object.entries(options).map(typed));
}

function checkValue(
  name: string,
  { value: wanted }: Option,
  { value, inlineValue }: { readonly value?: string | undefined; readonly inlineValue?: boolean | undefined },
): string | true {
  if (wanted === undefined) {
    if (value !== undefined) throw new UsageError(`--${name} takes no value`);
    return true;
  }
  if (value === undefined || value === "") throw new UsageError(`--${name} needs a value: --${name} ${wanted}`);
  // A number below zero is nobody's option: whoever knows what is wanted refuses it.
  if (inlineValue !== true && /^-[^\d]/.test(value)) {
    throw new UsageError(`--${name} needs a value; one that starts with a dash is written --${name}=${wanted}`);
  }
  return value;
}

function checkPositionals(command: Command, count: number): void {
  const { positionals: wanted } = command;
  const missing = wanted[count];
  if (missing !== undefined) throw new UsageError(`${missing} is missing; usage: ${usage(command)}`);
  if (count <= wanted.length) return;
  if (wanted.length === 0) throw new UsageError("it takes no arguments, only options");
  throw new UsageError(`it takes ${wanted.join(" ")} and nothing more; quote what belongs together`);
}

function collect(command: Command, given: ReadonlyMap<string, (string | true)[]>): OptionValues<Options> {
  const values: Record<string, unknown> = {};
  for (const [name, { value, multiple, required }] of Object.entries(command.options)) {
    const found = given.get(name);
    if (required === true && found === undefined)
      throw new UsageError(`--${name} ${value ?? ""} is missing; usage: ${usage(command)}`);
    if (multiple === true) values[name] = found ?? [];
    else values[name] = found?.[0] ?? (value === undefined ? false : undefined);
  }
  return values as OptionValues<Options>;
}

function unknownOption({ options }: Command, rawName: string): UsageError {
  const name = rawName.replace(/^-+/, "");
  const guess = nearest(name, [...Object.keys(options), "help"]);
  // What follows a single dash may be anything; what follows two was meant as a name.
  const shown = /^--[a-z][a-z0-9-]{0,30}$/i.test(rawName) ? `unknown option ${rawName}` : "unknown option";
  return new UsageError(guess === undefined ? `${shown}; --help lists them` : `${shown}; did you mean --${guess}?`);
}
