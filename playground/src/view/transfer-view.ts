/** A file on its way, as a line of a conversation: how much of it and how fast, and the file where it has come. */

import { type FileTransfer, sha256 } from "../session/file.ts";
import { duration, size } from "../text.ts";
import { handOnFocus } from "./focus.ts";
import { copyOf, element, slot } from "./slots.ts";

const showEveryMs = 100;
/** A speed is worth telling after so long. */
const leastMs = 300;

/** `next`: who gets the focus when what had it goes away. */
export function transferLine(transfer: FileTransfer, direction: "sent" | "received", next: HTMLElement): HTMLElement {
  const line = copyOf("transfer-template").firstElementChild as HTMLElement;
  line.classList.add(direction);
  const { name, size: bytes, done } = transfer;
  slot(line, "name").replaceChildren(element("strong", "", name), ` ${size(bytes)}`);
  const [progress, fate] = [slot(line, "progress", HTMLProgressElement), slot(line, "fate")];
  progress.ariaLabel = `Progress of ${name}`;
  const cancel = slot(line, "cancel", HTMLButtonElement);
  cancel.ariaLabel = `Cancel ${name}`;
  cancel.addEventListener("click", transfer.cancel);
  fate.textContent = "waits for the other side…";
  // Screen readers would read out each of ten figures a second; the end of it they shall.
  fate.ariaLive = "off";

  const startMs = performance.now();
  let shownMs = Number.NEGATIVE_INFINITY;
  transfer.onProgress = (gone) => {
    const nowMs = performance.now();
    if (nowMs - shownMs < showEveryMs) return;
    shownMs = nowMs;
    progress.value = gone / Math.max(1, bytes);
    fate.textContent = `${size(gone)} at ${size((gone / Math.max(1, nowMs - startMs)) * 1_000)}/s`;
  };
  const showEnd = (text: string): void => {
    fate.ariaLive = "polite";
    fate.textContent = text;
    handOnFocus(cancel, next);
    progress.hidden = true;
    cancel.hidden = true;
  };
  const settle = async (): Promise<void> => {
    try {
      const file = await done;
      const tookMs = Math.max(1, performance.now() - startMs);
      // Of what is over in a moment it says nothing.
      const speed = tookMs < leastMs ? "" : `, ${size((bytes / tookMs) * 1_000)}/s`;
      showEnd(`${direction === "sent" ? "arrived" : "here"} in ${duration(tookMs)}${speed}`);
      if (file !== undefined && line.isConnected) await offerFile(line, name, file);
    } catch (error) {
      const { text, isFailure } = transfer.reason(error);
      showEnd(text);
      fate.classList.toggle("failed", isFailure);
    }
  };
  void settle();
  return line;
}

/** The line is not shown any more: what it offers may go from memory. */
export function forgetFiles(line: Element): void {
  for (const { href } of line.querySelectorAll<HTMLAnchorElement>("a[download]")) URL.revokeObjectURL(href);
}

async function offerFile(line: HTMLElement, name: string, file: Blob): Promise<void> {
  const save = slot(line, "save", HTMLAnchorElement);
  save.href = URL.createObjectURL(file);
  save.download = name;
  save.ariaLabel = `Save ${name}`;
  save.hidden = false;
  const digest = await sha256(file);
  if (digest === undefined) return;
  const hash = slot(line, "hash");
  hash.replaceChildren("SHA-256 ", element("code", "", digest));
  hash.hidden = false;
}
