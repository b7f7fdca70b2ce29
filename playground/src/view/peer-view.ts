/** One of the two peers: its key, its role, its subscription, and what it wrote and got. */

import type { PublicKey, PublishReceipt, ReceivedMessage, Role } from "@wice/core";
import { failureText } from "../failure-text.ts";
import { duration, short } from "../text.ts";
import { byId, copyOf, element, slot } from "./slots.ts";
import { type ConnectionState, showState } from "./state-view.ts";

export interface PeerViewOptions {
  readonly name: string;
  /** The peer that it writes to. */
  readonly other: string;
  /** Resolves when an instance of the other has the message. */
  send(text: string): Promise<PublishReceipt>;
  /** The name of a key, where it is one of this page's. */
  nameOf(key: PublicKey): string | undefined;
}

export interface PeerView {
  showKey(key: PublicKey, role: Role): void;
  showState(state: ConnectionState): void;
  showReceived(message: ReceivedMessage): void;
}

/** Messages that are shown; older ones go. */
const maxLines = 100;

export function createPeerView({ name, other, send, nameOf }: PeerViewOptions): PeerView {
  const root = byId(name);
  root.append(copyOf("peer-template"));
  const heading = slot(root, "name");
  heading.textContent = name;
  const conversation = slot(root, "conversation");
  // It scrolls, and not every browser lets the keyboard reach what does.
  conversation.tabIndex = 0;
  conversation.ariaLabel = `Messages that ${name} wrote and got`;
  slot(root, "empty").textContent =
    `What ${other} writes to ${name} arrives here: sealed for ${name} alone, opened with ${name}’s private key.`;
  const input = slot(root, "input", HTMLInputElement);
  input.id = `${name}-text`;
  const label = slot(root, "label", HTMLLabelElement);
  label.htmlFor = input.id;
  label.textContent = `${name} writes to ${other}`;
  slot(root, "send").ariaLabel = `Send to ${other}`;

  const append = (line: DocumentFragment): void => {
    slotOrNothing(root, "empty")?.remove();
    conversation.append(line);
    while (conversation.children.length > maxLines) conversation.firstElementChild?.remove();
    conversation.scrollTop = conversation.scrollHeight;
  };

  let connection: ConnectionState = "connecting";
  const underWay = new Set<HTMLElement>();
  const showUnderWay = (fate: HTMLElement): void => {
    fate.textContent = connection === "subscribed" ? "on its way…" : "waits for the relay…";
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
        const { instance } = await send(text);
        fate.textContent = `delivered in ${duration(performance.now() - startMs)}`;
        if (instance !== undefined) fate.title = `${other}’s instance ${short(instance)} said that it has it.`;
      } catch (error) {
        fate.textContent = failureText(error, other);
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

  return {
    showKey(key, role) {
      slot(root, "key").textContent = key.toString();
      const shownRole = slot(root, "role");
      shownRole.textContent = role;
      shownRole.hidden = false;
      offerCopy(slot(root, "copy", HTMLButtonElement), `${name}’s public key`, key.toString());
    },
    showState(state) {
      connection = state;
      showState(slot(root, "state"), state);
      underWay.forEach(showUnderWay);
    },
    showReceived({ sender, message, fresh }) {
      const line = copyOf("received-template");
      slot(line, "text").textContent =
        message.payload === undefined ? "(a message without text)" : new TextDecoder().decode(message.payload);
      slot(line, "sender").replaceChildren(
        "from ",
        nameOf(sender) ?? "a stranger",
        " ",
        element("code", "", short(sender)),
      );
      const freshness = slot(line, "fresh");
      freshness.textContent = fresh ? "fresh" : "perhaps a recording";
      freshness.title = fresh
        ? `It names this very instance of ${name}, so it cannot be a recording from before this page was opened.`
        : `It names no instance of ${name}, so it may be a recording from before this page was opened.`;
      append(line);
    },
  };
}

function slotOrNothing(root: ParentNode, name: string): Element | null {
  return root.querySelector(`[data-slot="${name}"]`);
}

/** Only secure contexts have a clipboard. */
function offerCopy(button: HTMLButtonElement, what: string, text: string): void {
  if (!("clipboard" in navigator)) return;
  button.hidden = false;
  button.ariaLabel = `Copy ${what}`;
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(text).then(
      () => {
        button.textContent = "Copied";
        setTimeout(() => {
          button.textContent = "Copy";
        }, 2_000);
      },
      () => {
        button.textContent = "Not allowed";
      },
    );
  });
}
