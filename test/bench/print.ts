/** Reports as text: a table, its bars, its method. */

import { type Bar, holds, type Report, type Table } from "./topic.ts";

export function formatReport(title: string, { table, bars, method }: Report): string {
  return [`## ${title}`, "", ...formatTable(table), "", ...bars.map(formatBar), `Method: ${method}`, ""].join("\n");
}

/** One line per row; text on the left of its column, numbers on the right. */
function formatTable({ columns, rows }: Table): string[] {
  const lines = [columns, ...rows].map((row) => row.map(formatCell));
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const isNumber = columns.map((_, column) =>
    rows.every((row) => row[column] === "" || typeof row[column] === "number"),
  );
  return lines.map((line) =>
    line
      .map((cell, column) => (isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

function formatBar(bar: Bar): string {
  const { what, value, limit, unit } = bar;
  return `${holds(bar) ? "held  " : "MISSED"}  ${what}: ${formatNumber(value)}${unit}, at most ${limit}${unit}`;
}

function formatCell(cell: string | number): string {
  return typeof cell === "string" ? cell : formatNumber(cell);
}

/** Three digits that count, and all of those before the point. */
function formatNumber(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
