/** A button that copies a text. */

const sayForMs = 2_000;

/** Only secure contexts have a clipboard; elsewhere it stays hidden. `text` is asked for when it is wanted. */
export function offerCopy(button: HTMLButtonElement, what: string, text: () => string): void {
  if (!("clipboard" in navigator)) return;
  const word = button.textContent;
  button.hidden = false;
  button.ariaLabel = `Copy ${what}`;
  button.onclick = () => {
    navigator.clipboard.writeText(text()).then(
      () => {
        button.textContent = "Copied";
        setTimeout(() => {
          button.textContent = word;
        }, sayForMs);
      },
      () => {
        button.textContent = "Not allowed";
      },
    );
  };
}
