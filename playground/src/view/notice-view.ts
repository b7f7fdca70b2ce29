/** What has to be said before anything else: what does not work here, and what to do. */

import { byId, element, prose } from "./slots.ts";

/** It stays. Backticks as in {@link prose}. */
export function showNotice(kind: "warning" | "error", text: string): void {
  byId("notices").append(element("p", `notice ${kind}`, ...prose(text)));
}
