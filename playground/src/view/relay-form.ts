/** Another relay to meet at, by its URL. */

import { readRelay } from "../relay-choice.ts";
import { atRelay } from "../way.ts";
import { copyOf, slot } from "./slots.ts";

/** There is one in a page. It loads the page anew, at that relay. */
export function createRelayForm(page: URL): HTMLElement {
  const form = copyOf("relay-form-template").firstElementChild as HTMLElement;
  const [input, trouble] = [slot(form, "input", HTMLInputElement), slot(form, "trouble")];
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const relay = readRelay(input.value);
    if (relay !== undefined) return location.assign(atRelay(page, relay.url));
    trouble.hidden = false;
    trouble.textContent = "That is no URL of a relay: it begins with http:// or https://.";
    input.focus();
  });
  return form;
}
