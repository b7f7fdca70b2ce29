/** What has to be said before anything else: what does not work here, and what to do. */

import { byId, element } from "./slots.ts";

/** It stays. */
export function showNotice(kind: "warning" | "error", ...content: readonly (Node | string)[]): void {
  byId("notices").append(element("p", `notice ${kind}`, ...content));
}

/** A command, to be told from the words around it. */
export function commandText(text: string): HTMLElement {
  return element("code", "", text);
}
