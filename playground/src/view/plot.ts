/** A small curve of what was measured in the last minute. */

import { element } from "./slots.ts";

const shown = 60;
const [width, height] = [240, 44];
const svg = "http://www.w3.org/2000/svg";

export interface Plot {
  readonly element: HTMLElement;
  /** Undefined: nothing could be measured; the curve has a gap there. */
  add(value: number | undefined): void;
  clear(): void;
}

export function createPlot(label: string, inWords: (value: number) => string): Plot {
  const values: (number | undefined)[] = [];
  const drawing = document.createElementNS(svg, "svg");
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(svg, "path");
  drawing.append(path);
  const [now, most] = [element("span", "plot-now", "–"), element("span", "plot-most", "")];

  const draw = (): void => {
    const known = values.filter((value) => value !== undefined);
    const top = Math.max(...known, 1e-9);
    const first = shown - values.length;
    let gap = true;
    const steps = values.map((value, i) => {
      if (value === undefined) {
        gap = true;
        return "";
      }
      const move = gap ? "M" : "L";
      gap = false;
      const x = ((first + i) / (shown - 1)) * width;
      return `${move}${x.toFixed(1)} ${(height - 2 - (value / top) * (height - 4)).toFixed(1)}`;
    });
    path.setAttribute("d", steps.join(""));
    const last = values.at(-1);
    now.textContent = last === undefined ? "–" : inWords(last);
    most.textContent = known.length > 1 ? `peak ${inWords(top)} in 60 s` : "";
  };

  return {
    element: element(
      "div",
      "plot",
      element("p", "plot-head", `${label} `, now, most),
      drawing as unknown as HTMLElement,
    ),
    add(value) {
      values.push(value);
      if (values.length > shown) values.shift();
      draw();
    },
    clear() {
      values.length = 0;
      draw();
    },
  };
}
