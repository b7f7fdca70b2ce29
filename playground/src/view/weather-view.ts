/** The weather between the peers and the relay: sliders, and what breaks at once. */

import type { Weather } from "../weather.ts";
import { byId, element, slot } from "./slots.ts";

export interface WeatherViewOptions {
  /** What can be cut off. */
  readonly carrier: string;
  /** All subscriptions are lost. */
  cut(): void;
  /** The other peer crashes, and starts again. Undefined where it does not live in this page. */
  readonly crash: (() => void) | undefined;
}

type Share = "loss" | "duplication" | "reordering" | "delayMs";

const sliders: readonly {
  readonly name: Share;
  readonly label: string;
  readonly max: number;
  readonly unit: string;
}[] = [
  { name: "loss", label: "Loss", max: 90, unit: "%" },
  { name: "duplication", label: "Duplication", max: 100, unit: "%" },
  { name: "reordering", label: "Reordering", max: 100, unit: "%" },
  { name: "delayMs", label: "Delay", max: 2_000, unit: " ms" },
];

/** Changes the weather as it is turned. */
export function createWeatherView(weather: Weather, { carrier, cut, crash }: WeatherViewOptions): void {
  const root = byId("weather");
  const factor = (name: Share): number => (name === "delayMs" ? 1 : 100);
  const shows = sliders.map(({ name, label, max, unit }) => {
    const input = element("input", "");
    Object.assign(input, {
      type: "range",
      min: "0",
      max: `${max}`,
      step: name === "delayMs" ? "50" : "5",
      id: `weather-${name}`,
    });
    // What screen readers read is the slider's own: an output would tell of all four with each change.
    const value = element("span", "value");
    value.ariaHidden = "true";
    const caption = element("label", "", label);
    caption.htmlFor = input.id;
    slot(root, "sliders").append(element("div", "slider", caption, input, value));
    const show = (): void => {
      const number = Math.round(weather[name] * factor(name));
      input.value = `${number}`;
      value.textContent = `${number}${unit}`;
      input.ariaValueText = value.textContent;
    };
    input.addEventListener("input", () => {
      weather[name] = input.valueAsNumber / factor(name);
      showAll();
    });
    return show;
  });
  const cutButton = slot(root, "cut", HTMLButtonElement);
  const showAll = (): void => {
    for (const show of shows) show();
    cutButton.ariaPressed = `${weather.cut}`;
    cutButton.textContent = weather.cut ? "Let it back in" : `Cut off the ${carrier}`;
    slot(root, "forecast").textContent = weather.cut ? `no ${carrier}` : forecast(weather);
  };
  const set = (given: Partial<Weather>): void => {
    Object.assign(weather, given);
    showAll();
  };
  slot(root, "storm").addEventListener("click", () =>
    set({ loss: 0.5, duplication: 0.5, reordering: 0.5, delayMs: 50 }),
  );
  slot(root, "clear").addEventListener("click", () =>
    set({ loss: 0, duplication: 0, reordering: 0, delayMs: 0, cut: false }),
  );
  cutButton.addEventListener("click", () => {
    set({ cut: !weather.cut });
    if (weather.cut) cut();
  });
  const crashButton = slot(root, "crash");
  crashButton.hidden = crash === undefined;
  crashButton.addEventListener("click", () => crash?.());
  showAll();
}

function forecast({ loss, duplication, reordering, delayMs }: Weather): string {
  const worst = Math.max(loss, duplication, reordering, delayMs / 2_000);
  if (worst === 0) return "clear";
  return worst < 0.3 ? "breezy" : "stormy";
}
