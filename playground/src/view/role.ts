/** The role of a peer, beside its name. */

import type { Role } from "@wice/core";
import { slot } from "./slots.ts";

export function showRole(root: HTMLElement, role: Role): void {
  const shown = slot(root, "role");
  shown.textContent = role;
  shown.hidden = false;
}
