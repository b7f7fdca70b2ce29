/** What a command of `wice` is: how it is called, what it says about itself, and what it does. */

import type { Io } from "./io.ts";
import type { Output } from "./output.ts";

export interface Command {
  /** As typed: `"key public"`. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The names of its arguments, all required: `["PEER"]`. */
  readonly positionals: readonly string[];
  readonly options: Options;
  /** Paragraphs for its help, of at most 80 columns. */
  readonly about: readonly string[];
  readonly examples: readonly string[];
  /** Resolves with the exit code. */
  run(invocation: Invocation): Promise<number>;
}

/** By long name, without dashes. */
export type Options = Readonly<Record<string, Option>>;

export interface Option {
  /** What stands for the value in the help, `"FILE"`; absent: the option is a switch. */
  readonly value?: string;
  readonly required?: boolean;
  /** Most calls have it, though another option may stand in its place: it is part of the usage. */
  readonly usual?: boolean;
  readonly multiple?: boolean;
  readonly help: string;
}

/** One call of a command. */
export interface Invocation<O extends Options = Options> extends Context {
  readonly positionals: readonly string[];
  readonly options: OptionValues<O>;
}

export interface Context {
  readonly io: Io;
  /** Results, on stdout. */
  readonly out: Output;
  /** What a person may want to know meanwhile, on stderr. Never fails. */
  readonly notes: Output;
  /** Aborts with an {@link Interrupted} on the first SIGINT or SIGTERM; the second ends the process. */
  readonly signal: AbortSignal;
}

export type OptionValues<O extends Options> = {
  readonly [K in keyof O]: O[K] extends { readonly multiple: true }
    ? readonly string[]
    : O[K] extends { readonly value: string }
      ? O[K] extends { readonly required: true }
        ? string
        : string | undefined
      : boolean;
};

/** A command whose `run` knows the types of its options. */
export function defineCommand<const O extends Options>(
  command: Omit<Command, "run" | "options"> & {
    readonly options: O;
    run(invocation: Invocation<O>): Promise<number>;
  },
): Command {
  return { ...command, run: (invocation) => command.run(invocation as Invocation<O>) };
}
