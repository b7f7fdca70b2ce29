/** What `--help` prints. */

import type { Command } from "./command.ts";
import type { Style } from "./output.ts";

const exitCodes = `0  done, or the reader of the output has gone
1  it did not work: the reason is on stderr
2  the command line is wrong
130, 143  stopped by SIGINT (Ctrl-C) or SIGTERM`;

export function programHelp(commands: readonly Command[], style: Style): string {
  return sections(style, [
    ["", "wice: messages between peers that know each other's public key"],
    ["Usage", "wice COMMAND [OPTIONS]\nwice COMMAND --help"],
    ["Commands", table(commands.map(({ name, summary }) => [name, summary]))],
    [
      "Options",
      table([
        ["-h, --help", "print this, or the help of a command"],
        ["--version", "print the version"],
      ]),
    ],
    [
      "Two peers on one machine",
      `wice relay &
wice key generate --out alice.key
wice key generate --out bob.key
wice subscribe --key bob.key --relay http://127.0.0.1:8080 &
echo '"hello"' | wice publish "$(wice key public --key bob.key)" \\
  --key alice.key --relay http://127.0.0.1:8080`,
    ],
    ["Exit codes", exitCodes],
    [
      "Environment",
      table([
        ["NO_COLOR", "no colours"],
        ["WICE_DEBUG", "stack traces with errors"],
      ]),
    ],
  ]);
}

/** Of commands that have their first word in common. */
export function groupHelp(group: string, commands: readonly Command[], style: Style): string {
  const usages = commands.map((command) => usage(command));
  return sections(style, [
    ["Usage", [...usages, `wice ${group} COMMAND --help`].join("\n")],
    ["Commands", table(commands.map(({ name, summary }) => [name, summary]))],
    ["Exit codes", exitCodes],
  ]);
}

export function commandHelp(command: Command, style: Style): string {
  const { name, summary, about, examples } = command;
  return sections(style, [
    ["", `wice ${name}: ${summary}`],
    ["Usage", usage(command)],
    ["", about.join("\n\n")],
    ["Options", optionTable(command)],
    ["Examples", examples.join("\n")],
    ["Exit codes", exitCodes],
  ]);
}

/** `wice publish PEER --key FILE --relay URL [OPTIONS]` */
export function usage({ name, positionals, options }: Command): string {
  const entries = Object.entries(options);
  const required = entries
    .filter(([, { required, usual }]) => required || usual)
    .map(([option, { value }]) => `--${option} ${value}`);
  const more = entries.length > required.length ? ["[OPTIONS]"] : [];
  return ["wice", name, ...positionals, ...required, ...more].join(" ");
}

function optionTable({ options }: Command): string {
  const rows = Object.entries(options).map(([name, { value, multiple, help }]): [string, string] => [
    `--${name}${value === undefined ? "" : ` ${value}`}${multiple === true ? " …" : ""}`,
    help,
  ]);
  return table([...rows, ["-h, --help", "print this"]]);
}

function sections(style: Style, parts: readonly (readonly [title: string, body: string])[]): string {
  return parts
    .filter(([, body]) => body !== "")
    .map(([title, body]) => (title === "" ? body : `${style.bold(`${title}:`)}\n${body.replace(/^(?=.)/gm, "  ")}`))
    .join("\n\n");
}

/** Two columns; further lines of the second are indented to it. */
function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, right]) => left.padEnd(width) + right.replaceAll("\n", `\n${" ".repeat(width)}`)).join("\n");
}
