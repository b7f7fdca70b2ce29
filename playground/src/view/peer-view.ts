/** A peer of this page: its key, its role, its subscription, what it wrote and got, and what it can do. */

import type { PublicKey, Role } from "@wice/core";
import { type FileTransfer, sha256, transferEnd } from "../session/file.ts";
import { duration, size } from "../text.ts";
import { offerCopy } from "./copy-button.ts";
import { showRole } from "./role.ts";
import { byId, copyOf, element, makeScrollable, slot } from "./slots.ts";
import { type ConnectionState, showState } from "./state-view.ts";
import { createVideo } from "./video.ts";

export interface PeerViewOptions {
  /** The element that it fills. */
  readonly place: "alice" | "bob";
  readonly name: string;
  /** The peer that it writes to. */
  readonly other: string;
}

export interface PeerActions {
  /** Resolves with how it got there; rejects with an error for people. */
  say(text: string): Promise<string>;
  sendFile(file: File): FileTransfer;
  /** Shows ours to the other side; resolves with what there is to say of it. Rejects with an error for people. */
  call(): Promise<string | undefined>;
  hangUp(): void;
}

export interface PeerView {
  showKey(key: PublicKey): void;
  showRole(role: Role): void;
  showState(state: ConnectionState): void;
  showReceived(text: string, ...how: readonly (Node | string)[]): void;
  showIncomingFile(transfer: FileTransfer): void;
  showRemote(stream: MediaStream | undefined): void;
  /** What needs a session can be had now, or not. */
  showSession(connected: boolean): void;
  act(actions: PeerActions): void;
}

/** Messages that are shown; older ones go. */
const maxLines = 100;

export function createPeerView({ place, name, other }: PeerViewOptions): PeerView {
  const root = byId(place);
  root.ariaLabel = name;
  root.append(copyOf("peer-template"));
  slot(root, "name").textContent = name;
  const conversation = makeScrollable(slot(root, "conversation"), `Messages that ${name} wrote and got`);
  slot(root, "empty").textContent = `What ${other} writes to ${name} arrives here.`;
  const input = slot(root, "input", HTMLInputElement);
  input.id = `${place}-text`;
  const label = slot(root, "label", HTMLLabelElement);
  label.htmlFor = input.id;
  label.textContent = `${name} writes to ${other}`;
  slot(root, "send").ariaLabel = `Send to ${other}`;
  const [file, fileInput] = [slot(root, "file", HTMLButtonElement), slot(root, "file-input", HTMLInputElement)];
  const call = slot(root, "call", HTMLButtonElement);
  const showRemote = createVideo(slot(root, "video", HTMLVideoElement), `What ${name} sees of ${other}`);
  const troubleText = slot(root, "trouble");
  let actions: PeerActions | undefined;
  let connection: ConnectionState = "connecting";
  let inSession = false;

  const append = (line: Node): void => {
    root.querySelector('[data-slot="empty"]')?.remove();
    conversation.append(line);
    while (conversation.children.length > maxLines) conversation.firstElementChild?.remove();
    conversation.scrollTop = conversation.scrollHeight;
  };
  const showTrouble = (trouble?: unknown): void => {
    const text = trouble instanceof Error ? trouble.message : `${trouble ?? ""}`;
    troubleText.hidden = text === "";
    troubleText.textContent = text;
    troubleText.classList.toggle("failed", trouble instanceof Error);
  };

  const underWay = new Set<HTMLElement>();
  const showUnderWay = (fate: HTMLElement): void => {
    fate.textContent = inSession || connection === "subscribed" ? "on its way…" : "waits for the relay…";
  };
  const write = (text: string): void => {
    const line = copyOf("sent-template");
    slot(line, "text").textContent = text;
    const [fate, again] = [slot(line, "fate"), slot(line, "again", HTMLButtonElement)];
    const attempt = async (): Promise<void> => {
      again.hidden = true;
      fate.classList.remove("failed");
      underWay.add(fate);
      showUnderWay(fate);
      const startMs = performance.now();
      try {
        const how = (await actions?.say(text)) ?? "";
        fate.textContent = `delivered in ${duration(performance.now() - startMs)}, ${how}`;
      } catch (error) {
        fate.textContent = error instanceof Error ? error.message : `${error}`;
        fate.classList.add("failed");
        again.hidden = false;
      } finally {
        underWay.delete(fate);
      }
    };
    again.addEventListener("click", () => void attempt());
    append(line);
    void attempt();
  };

  slot(root, "form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text === "") return input.focus();
    input.value = "";
    write(text);
  });
  file.addEventListener("click", () => fileInput.click());
  fileInput.addEventListener("change", () => {
    const [chosen] = fileInput.files ?? [];
    fileInput.value = "";
    showTrouble();
    try {
      if (chosen !== undefined && actions !== undefined) append(transferLine(actions.sendFile(chosen), "sent"));
    } catch (error) {
      showTrouble(error);
    }
  });
  const setCalling = (calling: boolean): void => {
    call.ariaPressed = `${calling}`;
    call.textContent = calling ? "Hang up" : "Call with video";
  };
  call.addEventListener("click", async () => {
    showTrouble();
    if (call.ariaPressed === "true") {
      actions?.hangUp();
      return setCalling(false);
    }
    setCalling(true);
    try {
      showTrouble(await actions?.call());
    } catch (error) {
      setCalling(false);
      showTrouble(error);
    }
  });

  return {
    act(given) {
      actions = given;
    },
    showKey(key) {
      slot(root, "key").textContent = key.toString();
      offerCopy(slot(root, "copy", HTMLButtonElement), `${name}’s public key`, () => key.toString());
    },
    showRole: (role) => showRole(root, role),
    showState(state) {
      connection = state;
      showState(slot(root, "state"), state);
      underWay.forEach(showUnderWay);
    },
    showReceived(text, ...how) {
      const line = copyOf("received-template");
      slot(line, "text").textContent = text;
      slot(line, "how").replaceChildren(...how);
      append(line);
    },
    showIncomingFile: (transfer) => append(transferLine(transfer, "received")),
    showRemote,
    showSession(connected) {
      inSession = connected;
      file.disabled = !connected;
      call.disabled = !connected;
      if (!connected) setCalling(false);
      underWay.forEach(showUnderWay);
    },
  };
}

function transferLine(transfer: FileTransfer, direction: "sent" | "received"): Node {
  const fragment = copyOf("transfer-template");
  const line = fragment.firstElementChild as HTMLElement;
  line.classList.add(direction);
  const { name, size: bytes, done } = transfer;
  slot(line, "name").replaceChildren(element("strong", "", name), ` ${size(bytes)}`);
  const [progress, fate] = [slot(line, "progress", HTMLProgressElement), slot(line, "fate")];
  progress.ariaLabel = `Progress of ${name}`;
  const cancel = slot(line, "cancel", HTMLButtonElement);
  cancel.ariaLabel = `Cancel ${name}`;
  cancel.addEventListener("click", transfer.cancel);
  fate.textContent = "waits for the other side…";

  const startMs = performance.now();
  let shownMs = Number.NEGATIVE_INFINITY;
  transfer.onProgress = (gone) => {
    const nowMs = performance.now();
    if (nowMs - shownMs < 100) return;
    shownMs = nowMs;
    progress.value = gone / Math.max(1, bytes);
    fate.textContent = `${size(gone)} at ${size((gone / Math.max(1, nowMs - startMs)) * 1_000)}/s`;
  };
  const settle = async (): Promise<void> => {
    try {
      const file = await done;
      const took = performance.now() - startMs;
      progress.value = 1;
      fate.textContent = `${direction === "sent" ? "arrived" : "here"} in ${duration(took)}, ${size((bytes / took) * 1_000)}/s`;
      if (file !== undefined) await offerFile(line, name, file);
    } catch (error) {
      fate.textContent = transferEnd(error);
      fate.classList.add("failed");
    } finally {
      progress.hidden = true;
      cancel.hidden = true;
    }
  };
  void settle();
  return fragment;
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
