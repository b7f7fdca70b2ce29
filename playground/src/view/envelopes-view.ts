/** The envelopes as they pass, as a sequence diagram: time goes down; each opens to what is in it. */

import type { Envelope, PublicKey } from "@wice/core";
import type { EnvelopeLogListener, LoggedEnvelope } from "../envelope-log.ts";
import { count, duration, hex, short, timeOfDay } from "../text.ts";
import { handOnFocus } from "./focus.ts";
import { byId, copyOf, element, isAtEnd, makeScrollable, slot } from "./slots.ts";

export interface EnvelopesViewOptions {
  /** Names the keys that are known: those of the two lifelines. */
  readonly nameOf: NameOf;
  /** Whether the key's place is on the left of the diagram. */
  onLeft(key: PublicKey): boolean;
  /** The lifelines, from left to right. */
  readonly lanes: readonly [left: string, middle: string, right: string];
}

export interface EnvelopesView extends EnvelopeLogListener {
  /** There are other names than before. */
  renamed(): void;
}

export function createEnvelopesView({ nameOf, onLeft, lanes }: EnvelopesViewOptions): EnvelopesView {
  const list = byId("envelopes-list");
  byId("lanes-head").replaceChildren(...lanes.map((lane) => element("span", "", lane)));
  makeScrollable(list, "Envelopes, in the order in which they left");
  const rows = new Map<string, { readonly row: HTMLElement; readonly entry: LoggedEnvelope }>();
  let total = 0;

  /** From whose lifeline to whose; a stranger has none. */
  const showRoute = (row: HTMLElement, { sender, recipient }: Envelope): void => {
    slot(row, "route").textContent = `${peerName(sender, nameOf)} to ${peerName(recipient, nameOf)}`;
    const [isFromStranger, isToStranger] = [nameOf(sender) === undefined, nameOf(recipient) === undefined];
    const toRight = isFromStranger ? !onLeft(recipient) : onLeft(sender);
    const { dataset } = slot(row, "lane");
    dataset.direction = toRight ? "right" : "left";
    dataset.stranger = isFromStranger ? "from" : isToStranger ? "to" : "";
  };

  return {
    added(entry) {
      total += 1;
      byId("envelopes-count").textContent = `${count(total, "envelope")} so far`;
      const row = slot(copyOf("envelope-template"), "row").parentElement as HTMLElement;
      rows.set(entry.id, { row, entry });
      showEnvelope(row, entry, nameOf);
      showRoute(row, entry.envelope);
      const follow = isAtEnd(list);
      list.append(row);
      if (follow) list.scrollTop = list.scrollHeight;
      byId("envelopes-empty").hidden = true;
    },
    changed(entry) {
      const row = rows.get(entry.id)?.row;
      if (row === undefined) return;
      showFate(row, entry);
      if (isOpen(row)) showInside(row, entry, nameOf);
    },
    forgotten({ id }) {
      const row = rows.get(id)?.row;
      rows.delete(id);
      if (row === undefined) return;
      handOnFocus(row, list);
      row.remove();
    },
    renamed() {
      for (const { row, entry } of rows.values()) {
        showRoute(row, entry.envelope);
        showFate(row, entry);
        if (isOpen(row)) showInside(row, entry, nameOf);
      }
    },
  };
}

type NameOf = (key: PublicKey) => string | undefined;

/** What does not change about it. */
function showEnvelope(row: HTMLElement, entry: LoggedEnvelope, nameOf: NameOf): void {
  const { firstSeen, bytes, id } = entry;
  const time = slot(row, "time", HTMLTimeElement);
  time.textContent = timeOfDay(firstSeen);
  time.dateTime = firstSeen.toISOString();
  slot(row, "size").textContent = `${bytes} bytes`;

  const button = slot(row, "row", HTMLButtonElement);
  const inside = slot(row, "inside");
  inside.id = `envelope-${id.replaceAll(" ", "")}`;
  button.setAttribute("aria-controls", inside.id);
  button.addEventListener("click", () => {
    const open = !isOpen(row);
    button.setAttribute("aria-expanded", `${open}`);
    inside.hidden = !open;
    if (!open) return;
    showInside(row, entry, nameOf);
    row.scrollIntoView({ block: "nearest" });
  });
}

function isOpen(row: HTMLElement): boolean {
  return slot(row, "row").getAttribute("aria-expanded") === "true";
}

function showFate(row: HTMLElement, entry: LoggedEnvelope): void {
  const { opened, fate } = entry;
  const kind = slot(row, "kind");
  kind.textContent = opened === undefined || opened === "unopened" ? "sealed" : opened.kind;
  kind.dataset.kind = kind.textContent;
  const lane = slot(row, "lane");
  lane.dataset.fate = fate;
  lane.dataset.twice = `${entry.arrivals > 1}`;
  const { stranger = "" } = lane.dataset;
  const shown = slot(row, "fate");
  shown.dataset.fate = fate;
  shown.textContent = `${stranger === "" ? "" : `${stranger} a stranger, `}${fateText(entry)}`;
}

function fateText({ fate, tries, arrivals, tookMs }: LoggedEnvelope): string {
  const again = tries > 1 ? `, at try ${tries}` : "";
  switch (fate) {
    case "sending":
      return tries > 1 ? `try ${tries}…` : "on its way…";
    case "taken":
      return `handed over${again}`;
    case "dropped":
      return `lost in the weather${again}`;
    case "nobody":
      return `nobody was there for it${again}`;
    case "replaced":
      return "replaced by a newer one";
    case "failed":
      return `not taken${again}`;
    case "arrived":
      return `${tookMs === undefined ? "arrived" : `arrived in ${duration(tookMs)}`}${arrivals > 1 ? `, ${arrivals} times` : ""}${again}`;
  }
}

function showInside(row: HTMLElement, { envelope, opened }: LoggedEnvelope, nameOf: NameOf): void {
  const { sender, recipient, nonce, body } = envelope;
  slot(row, "sealed").replaceChildren(
    ...field("Sender", element("code", "", `${sender}`)),
    ...field("Recipient", element("code", "", `${recipient}`)),
    ...field("Nonce", element("code", "", hex(nonce))),
    ...field(
      `Sealed, ${body.length} bytes`,
      makeScrollable(element("code", "bytes-box", hex(body)), "Sealed bytes", "group"),
    ),
  );
  const name = nameOf(recipient);
  slot(row, "opened-title").textContent =
    name === undefined ? "What the recipient finds in it" : `What ${name} finds in it`;
  const fields: readonly (readonly [string, string])[] =
    opened === undefined || opened === "unopened" ? [["Nothing", unopenedText(name)]] : opened.fields;
  slot(row, "opened").replaceChildren(...fields.flatMap(([label, text]) => field(label, text)));
}

function unopenedText(name: string | undefined): string {
  return name === undefined
    ? "it is between others, and only they can open it"
    : "it does not open: it was damaged, or its sender is somebody else than it says";
}

function field(label: string, content: Node | string): readonly [HTMLElement, HTMLElement] {
  return [element("dt", "", label), element("dd", "", content)];
}

function peerName(key: PublicKey, nameOf: NameOf): string {
  return `${nameOf(key) ?? "a stranger"} ${short(key)}`;
}
