/** The table that the laboratory ends with. */

import type { SelectedPair } from "@wice/core";

export interface RowResult {
  readonly network: string;
  readonly agent: string;
  readonly connected: boolean;
  readonly pair: SelectedPair | undefined;
  /** From the call to a session, and to the first echo. */
  readonly connectMs?: number | undefined;
  readonly echoMs?: number | undefined;
  /** What else was seen. */
  readonly note?: string | undefined;
}

export function printTable(rows: readonly RowResult[]): string {
  const cells = rows.map(({ network, agent, connected, pair, connectMs, echoMs, note = "" }) => [
    ...[network, agent, connected ? "yes" : "NO", connected ? kindOf(pair) : "none"],
    ...[connectMs, echoMs].map((ms) => (ms === undefined ? "" : `${ms} ms`)),
    note,
  ]);
  const all = [["network", "agent", "connected", "pair (ours–theirs)", "connect", "first echo", "then"], ...cells];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function kindOf(pair: SelectedPair | undefined): string {
  if (pair === undefined) return "?";
  const family = pair.local.address.includes(":") ? "IPv6" : "IPv4";
  return `${pair.local.type}–${pair.remote.type}, ${family}`;
}
