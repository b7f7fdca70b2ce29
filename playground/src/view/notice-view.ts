/** What has to be said before anything else: what does not work here, and what to do. */

import { byId, element, prose } from "./slots.ts";

/** It stays. Backticks as in {@link prose}. */
export function showNotice(kind: "news" | "warning" | "error", text: string, ...remedies: readonly Node[]): void {
  byId("notices").append(element("div", `notice ${kind}`, element("p", "", ...prose(text)), ...remedies));
}
