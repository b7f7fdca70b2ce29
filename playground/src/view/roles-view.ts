/** Who is controlling, and the comparison that decides it. */

import { electRole, type PublicKey } from "@wice/core";
import { hex } from "../text.ts";
import { byId, element, slot } from "./slots.ts";

const shownBytes = 6;

/** Two peers, by name. */
export function showRoles(peers: readonly [NamedKey, NamedKey]): void {
  const [first, second] = peers;
  const [left, right] = [first.key.toBytes(), second.key.toBytes()];
  const at = left.findIndex((byte, i) => byte !== right[i]);
  const byteAt = ({ key }: NamedKey): string => hex(key.toBytes().subarray(at, at + 1));
  const [smaller, larger] = electRole(first.key, second.key) === "controlling" ? [first, second] : [second, first];

  const root = byId("roles");
  slot(root, "text").textContent =
    "Decided by the keys alone, without a message: the smaller is controlling. " +
    `Byte ${at + 1} is the first that differs, ${byteAt(smaller)}\u00a0<\u00a0${byteAt(larger)}: ${smaller.name} is controlling.`;
  const table = slot(root, "table", HTMLTableElement);
  // Two keys seldom begin alike; when they do, what is shown begins where they stop.
  const from = at < shownBytes ? 0 : at;
  table.tBodies[0]?.replaceChildren(...peers.map((peer) => byteRow(peer, from, at)));
  table.hidden = false;
}

export interface NamedKey {
  readonly name: string;
  /** Whose colour it has. */
  readonly side: "alice" | "bob";
  readonly key: PublicKey;
}

function byteRow({ name, side, key }: NamedKey, from: number, decisive: number): HTMLTableRowElement {
  const header = element("th", "", name);
  header.scope = "row";
  const cells = Array.from(key.toBytes().subarray(from, from + shownBytes), (byte, i) => {
    const text = hex(Uint8Array.of(byte));
    return element("td", "", from + i === decisive ? element("mark", "", text) : text);
  });
  return element("tr", side, header, ...cells, element("td", "", "…"));
}
