/** Keyboards go on from where they were: what goes away, and has the focus, hands it on. */

export function handOnFocus(from: Element, to: HTMLElement): void {
  if (from.contains(document.activeElement)) to.focus();
}
