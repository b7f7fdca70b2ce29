/** A button that copies a text. */

const sayForMs = 2_000;

/** Only secure contexts have a clipboard; elsewhere it stays hidden. `text` is asked for when it is wanted. */
export function offerCopy(button: HTMLButtonElement, what: string, text: () => string): void {
  if (!("clipboard" in navigator)) return;
  const word = button.textContent;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = (shown: string, spoken: string): void => {
    button.textContent = shown;
    button.ariaLabel = spoken;
  };
  const rest = (): void => say(word, `Copy ${what}`);
  const tell = (shown: string, spoken: string): void => {
    say(shown, spoken);
    clearTimeout(timer);
    timer = setTimeout(rest, sayForMs);
  };
  rest();
  button.hidden = false;
  button.onclick = () => {
    navigator.clipboard.writeText(text()).then(
      () => tell("Copied", `Copied ${what}`),
      () => tell("Not allowed: select it", `Not allowed: select ${what} and copy by hand`),
    );
  };
}
