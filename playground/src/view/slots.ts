/** The parts of the page that index.html prepares: elements by id, templates, and the slots in them. */

type ElementClass<E extends Element> = new () => E;

/** The element of the page with this id. */
export function byId<E extends Element = HTMLElement>(id: string, kind: ElementClass<E> = HTMLElement as never): E {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} #${id}`);
}

/** A copy of what a template holds. */
export function copyOf(templateId: string): DocumentFragment {
  return document.importNode(byId(templateId, HTMLTemplateElement).content, true);
}

/** The element that is marked `data-slot="name"`. */
export function slot<E extends Element = HTMLElement>(
  root: ParentNode,
  name: string,
  kind: ElementClass<E> = HTMLElement as never,
): E {
  const found = root.querySelector(`[data-slot="${name}"]`);
  if (found instanceof kind) return found;
  throw new Error(`there is no ${kind.name} for "${name}"`);
}

/** An element with a class and what is in it. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...content: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  made.append(...content);
  return made;
}

/** Puts these in, unless they say what is there: who is selecting it to copy is not disturbed. */
export function replaceText(box: HTMLElement, content: readonly HTMLElement[]): void {
  const same = content.length === box.children.length && content.every((part, i) => box.children[i]?.isEqualNode(part));
  if (!same) box.replaceChildren(...content);
}

/** Text in which what stands between backticks is typed by somebody: a command, a part of a URL. */
export function prose(text: string): readonly (Node | string)[] {
  return text.split("`").map((part, i) => (i % 2 === 0 ? part : element("code", "typed", part)));
}

/** Keyboards scroll only what can have the focus, and not every browser gives it by itself. */
export function makeScrollable<E extends HTMLElement>(box: E, label: string, role?: string): E {
  box.tabIndex = 0;
  box.ariaLabel = label;
  if (role !== undefined) box.role = role;
  return box;
}

/** Whether its end is in sight: who has scrolled back reads something, and is not to be taken away from it. */
export function isAtEnd(box: HTMLElement): boolean {
  return box.scrollHeight - box.scrollTop - box.clientHeight < 60;
}
