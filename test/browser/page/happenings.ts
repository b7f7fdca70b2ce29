/** What the browser told the document, for tests to see that they did what they meant to do. */

import type { WebPage } from "../web-page.ts";
import { createLog } from "./log.ts";

export function createHappenings(): Pick<WebPage, "untilHappening" | "untilTicks"> {
  const log = createLog<string>();
  for (const name of ["freeze", "resume"]) document.addEventListener(name, () => log.add(name));
  document.addEventListener("visibilitychange", () => log.add(document.visibilityState));
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) log.add("back");
  });
  for (const name of ["online", "offline"]) addEventListener(name, () => log.add(name));
  return {
    async untilHappening(what) {
      await log.until((name) => name === what);
    },
    untilTicks: (count) =>
      new Promise((resolve) => {
        let left = count;
        const timer = setInterval(() => {
          left -= 1;
          if (left > 0) return;
          clearInterval(timer);
          resolve();
        }, 100);
      }),
  };
}
