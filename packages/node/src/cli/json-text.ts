/** JSON as text: what a program wrote is passed on digit by digit, not parsed and written anew. */

import { WiceError } from "@wice/core";

/**
 * The text without the space between its tokens. Numbers keep their digits (`12345678901234567890`, `1.0`), objects the
 * order and repetition of their keys. Throws `invalid-argument`, without a word of the text.
 */
export function compactJson(text: string): string {
  try {
    JSON.parse(text);
  } catch (error) {
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : "")?.[1];
    // The error's own text quotes what was read, and is not passed on either.
    throw new WiceError(
      "invalid-argument",
      `not JSON${position === undefined ? "" : `, from column ${Number(position) + 1} on`}`,
    );
  }
  return text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|\s+/g, (token) => (token.startsWith('"') ? token : ""));
}

/** The text if it is JSON, compact; undefined otherwise. */
export function tryCompactJson(text: string): string | undefined {
  try {
    return compactJson(text);
  } catch {
    return undefined;
  }
}

/** JSON that is safe to show: a stranger's text may hold what moves a terminal's cursor or turns its direction. */
export function showJson(json: string): string {
  return json.replace(unseen, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** In valid JSON these stand in strings only, where an escape means the same. */
const unseen = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
