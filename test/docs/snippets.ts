/** The runnable parts of a Markdown page: what it shows must work as written. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Snippet {
  readonly language: string;
  readonly line: number;
  readonly code: string;
  /** What a `text` block right after it says that it prints. */
  readonly prints: string | undefined;
}

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** All fenced blocks of a page, `text` blocks that belong to another one excepted. */
export function readSnippets(page: string): readonly Snippet[] {
  const content = readFileSync(`${root}${page}`, "utf8");
  const fence = /^```(\w+)\n([\s\S]*?)^```\n(?:\s*^```text\n([\s\S]*?)^```\n)?/gm;
  return [...content.matchAll(fence)].map(({ 1: language = "", 2: code = "", 3: prints, index }) => ({
    language,
    code,
    prints,
    line: content.slice(0, index).split("\n").length + 1,
  }));
}
