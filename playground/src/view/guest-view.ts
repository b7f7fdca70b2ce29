/** The peer that lives elsewhere: how to invite it, or to call it, and who it is. */

import type { PublicKey, Role } from "@wice/core";
import { encode } from "uqr";
import type { Way } from "../way.ts";
import { offerCopy } from "./copy-button.ts";
import { handOnFocus } from "./focus.ts";
import { showRole } from "./role.ts";
import { byId, copyOf, prose, slot } from "./slots.ts";
import { createVideo } from "./video.ts";

export interface GuestViewOptions {
  readonly way: Way;
  readonly name: string;
  /** The page without anybody to call. */
  readonly elsewhere: string;
  /** Throws an error for people. */
  call(link: string): void;
}

export interface GuestView {
  /** `reachable`: by other devices; `served`: by `npm start`. */
  showInvitation(link: string, by: { readonly reachable: boolean; readonly served: boolean }): void;
  /** The one that is called, or has called. */
  showGuest(key: PublicKey, role: Role): void;
  showRemote(stream: MediaStream | undefined): void;
}

export function createGuestView({ way, name, elsewhere, call }: GuestViewOptions): GuestView {
  const root = byId("bob");
  root.ariaLabel = name;
  root.append(copyOf("guest-template"));
  slot(root, "name").textContent = name;
  const showRemote = createVideo(slot(root, "video", HTMLVideoElement), `What ${name} shows`);
  slot(root, "no-picture").textContent = `When ${name} calls with video, its picture is here.`;
  slot(root, "else", HTMLAnchorElement).href = elsewhere;
  const [input, trouble] = [slot(root, "input", HTMLInputElement), slot(root, "trouble")];
  slot(root, "form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    try {
      trouble.hidden = true;
      call(input.value);
    } catch (error) {
      trouble.textContent = error instanceof Error ? error.message : "";
      trouble.hidden = false;
      input.focus();
    }
  });

  return {
    showRemote(stream) {
      showRemote(stream);
      slot(root, "no-picture").hidden = stream !== undefined;
    },
    showInvitation(link, { reachable, served }) {
      const shown = slot(root, "link", HTMLAnchorElement);
      shown.href = link;
      shown.textContent = link;
      offerCopy(slot(root, "copy", HTMLButtonElement), "the link", () => link);
      slot(root, "invite-text").replaceChildren(...prose(invitationText(way, reachable, served)));
      const open = slot(root, "open", HTMLAnchorElement);
      open.href = link;
      open.hidden = way !== "tabs";
      if (way === "tabs" || !reachable) return;
      const code = slot(root, "qr");
      code.replaceChildren(qrCode(link));
      code.hidden = false;
    },
    showGuest(key, role) {
      slot(root, "key").textContent = key.toString();
      slot(root, "known").hidden = false;
      handOnFocus(slot(root, "invite"), slot(root, "else"));
      slot(root, "invite").hidden = true;
      showRole(root, role);
    },
  };
}

function invitationText(way: Way, reachable: boolean, served: boolean): string {
  const open = "The first to come in is let in, and nobody after that. The link holds your public key, and no secret.";
  if (way === "tabs") return `Open this link in another tab of this browser. ${open}`;
  if (reachable) return `Scan this with the other device, or send it the link. ${open}`;
  const remedy = served
    ? "Stop `npm start`, start `npm start -- --https`, and open this page by one of the other addresses that it prints."
    : "Open this page by the name or the number that this machine has in your network, over https.";
  return `Another device cannot reach this address. ${remedy} A second window on this machine can use the link as it is.`;
}

const svg = "http://www.w3.org/2000/svg";

function qrCode(text: string): SVGElement {
  const { data, size } = encode(text, { ecc: "M", border: 2 });
  const root = document.createElementNS(svg, "svg");
  root.setAttribute("viewBox", `0 0 ${size} ${size}`);
  root.setAttribute("role", "img");
  root.setAttribute("aria-label", "The link as a QR code");
  const path = document.createElementNS(svg, "path");
  const dots = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])));
  path.setAttribute("d", dots.join(""));
  root.append(path);
  return root;
}
