/** What @wice/web's README tells its readers to write. */

import { readSnippets } from "../docs/snippets.ts";

const itsRelay = "http://127.0.0.1:8080";

/** Its first program for a bundler (`ts`) or its page without one (`html`), with this relay in place of the README's. */
export function readmeProgram(language: "ts" | "html", relayUrl: string): string {
  const snippet = readSnippets("packages/web/README.md").find((one) => one.language === language);
  if (!snippet?.code.includes(itsRelay)) throw new Error(`the README's first ${language} does not use ${itsRelay}`);
  return snippet.code.replace(itsRelay, relayUrl);
}
