/** The lines that do what is on the screen, to copy. */

import type { Chapter } from "../take-home.ts";
import { offerCopy } from "./copy-button.ts";
import { byId, element, makeScrollable, slot } from "./slots.ts";

export interface CodeView {
  /** Chapters of the same titles each time. */
  show(chapters: readonly Chapter[]): void;
}

export function createCodeView(): CodeView {
  const root = byId("code");
  const shown = makeScrollable(slot(root, "code"), "Code", "region");
  let chosen = 0;
  let chapters: readonly Chapter[] = [];
  const chapterButton = (title: string, i: number): HTMLButtonElement => {
    const button = element("button", "small", title);
    button.type = "button";
    button.addEventListener("click", () => {
      chosen = i;
      draw();
    });
    return button;
  };
  const draw = (): void => {
    shown.textContent = chapters[chosen]?.code ?? "";
    slot(root, "chapters")
      .querySelectorAll("button")
      .forEach((button, i) => {
        button.ariaPressed = `${i === chosen}`;
      });
  };
  offerCopy(slot(root, "copy", HTMLButtonElement), "the code", () => shown.textContent ?? "");
  return {
    show(given) {
      // The buttons stay: one of them may have the focus.
      if (chapters.length === 0) slot(root, "chapters").append(...given.map(({ title }, i) => chapterButton(title, i)));
      chapters = given;
      draw();
    },
  };
}
