/** A peer of this page: its key, its role, its subscription, what it wrote and got, and what it can do. */

import type { PublicKey, Role } from "@wice/core";
import type { FileTransfer } from "../session/file.ts";
import { duration } from "../text.ts";
import { offerCopy } from "./copy-button.ts";
import { handOnFocus } from "./focus.ts";
import { showRole } from "./role.ts";
import { byId, copyOf, isAtEnd, makeScrollable, slot } from "./slots.ts";
import { type SubscriptionState, showSubscription } from "./state-view.ts";
import { forgetFiles, transferLine } from "./transfer-view.ts";
import { createVideo } from "./video.ts";

export interface PeerViewOptions {
  /** The element that it fills. */
  readonly place: "alice" | "bob";
  readonly name: string;
  /** The peer that it writes to. */
  readonly other: string;
}

export interface Delivery {
  /** `directly`, for example. */
  readonly how: string;
  /** Whether the other side has said that it has it. */
  readonly receipt: boolean;
}

export interface PeerActions {
  /** Rejects with an error for people. */
  say(text: string): Promise<Delivery>;
  sendFile(file: File): FileTransfer;
  /** Shows ours to the other side; resolves with what there is to say of it. Rejects with an error for people. */
  call(): Promise<string | undefined>;
  hangUp(): void;
}

export interface PeerView {
  showKey(key: PublicKey): void;
  showRole(role: Role): void;
  /** At the relay. */
  showSubscription(state: SubscriptionState): void;
  showReceived(text: string, ...how: readonly (Node | string)[]): void;
  showIncomingFile(transfer: FileTransfer): void;
  showRemote(stream: MediaStream | undefined): void;
  /** What needs a session can be had now, or not. */
  showSession(connected: boolean): void;
  /** What we showed is not shown any more, without our doing. */
  showCallEnd(): void;
  act(actions: PeerActions): void;
}

/** Messages that are shown; older ones go. */
const maxLines = 100;
/** Of what comes; programs send longer ones than people. */
const maxTextLength = 2_000;

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
  file.ariaLabel = `Send a file to ${other}`;
  const call = slot(root, "call", HTMLButtonElement);
  const showRemote = createVideo(slot(root, "video", HTMLVideoElement), `What ${name} sees of ${other}`);
  const troubleText = slot(root, "trouble");
  let actions: PeerActions | undefined;
  const doing = (): PeerActions => {
    if (actions === undefined) throw new Error("The page is not ready yet. Wait a moment, then try again.");
    return actions;
  };
  let subscription: SubscriptionState = "connecting";
  let inSession = false;

  const append = (line: Node, follow: boolean): void => {
    root.querySelector('[data-slot="empty"]')?.remove();
    conversation.append(line);
    for (const oldest of [...conversation.children].slice(0, -maxLines)) {
      forgetFiles(oldest);
      handOnFocus(oldest, conversation);
      oldest.remove();
    }
    if (follow) conversation.scrollTop = conversation.scrollHeight;
  };
  const showTrouble = (trouble?: unknown): void => {
    const text = trouble instanceof Error ? trouble.message : `${trouble ?? ""}`;
    troubleText.hidden = text === "";
    troubleText.textContent = text;
    troubleText.classList.toggle("failed", trouble instanceof Error);
  };

  const underWay = new Set<HTMLElement>();
  const showUnderWay = (fate: HTMLElement): void => {
    fate.textContent = inSession || subscription === "subscribed" ? "on its way…" : "waits for the relay…";
  };
  const write = (text: string): void => {
    const line = copyOf("sent-template");
    slot(line, "text").textContent = text;
    const [fate, again] = [slot(line, "fate"), slot(line, "again", HTMLButtonElement)];
    const attempt = async (): Promise<void> => {
      handOnFocus(again, input);
      again.hidden = true;
      fate.classList.remove("failed");
      underWay.add(fate);
      showUnderWay(fate);
      const startMs = performance.now();
      try {
        const { how, receipt } = await doing().say(text);
        fate.textContent = receipt
          ? `delivered in ${duration(performance.now() - startMs)}, ${how}`
          : `sent, ${how}: the program at the other side gives no receipts`;
      } catch (error) {
        fate.textContent = error instanceof Error ? error.message : `${error}`;
        fate.classList.add("failed");
        again.hidden = false;
      } finally {
        underWay.delete(fate);
        // Its fate may be longer than what stood there.
        if (isAtEnd(conversation)) conversation.scrollTop = conversation.scrollHeight;
      }
    };
    again.addEventListener("click", () => void attempt());
    append(line, true);
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
      if (chosen !== undefined) append(transferLine(doing().sendFile(chosen), "sent", file), true);
    } catch (error) {
      showTrouble(error);
    }
  });
  const isCalling = (): boolean => call.ariaPressed === "true";
  const showCalling = (calling: boolean): void => {
    call.ariaPressed = `${calling}`;
    call.textContent = calling ? "Hang up" : "Call with video";
    call.ariaLabel = `${call.textContent}, ${name}`;
    // Whoever is in a call can leave it, also while the path is lost.
    call.disabled = !inSession && !calling;
  };
  call.addEventListener("click", async () => {
    showTrouble();
    const calling = !isCalling();
    showCalling(calling);
    try {
      if (calling) showTrouble(await doing().call());
      else doing().hangUp();
    } catch (error) {
      showCalling(false);
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
    showSubscription(state) {
      subscription = state;
      showSubscription(slot(root, "state"), state);
      underWay.forEach(showUnderWay);
    },
    showReceived(text, ...how) {
      const line = copyOf("received-template");
      slot(line, "text").textContent = text.length > maxTextLength ? `${text.slice(0, maxTextLength)}…` : text;
      slot(line, "how").replaceChildren(...how);
      append(line, isAtEnd(conversation));
    },
    showIncomingFile: (transfer) => append(transferLine(transfer, "received", conversation), isAtEnd(conversation)),
    showRemote,
    showCallEnd() {
      if (!isCalling()) return;
      showCalling(false);
      showTrouble(new Error("The call has ended with the connection, or the camera. Call again when that is back."));
    },
    showSession(connected) {
      inSession = connected;
      file.disabled = !connected;
      showCalling(isCalling());
      underWay.forEach(showUnderWay);
    },
  };
}
