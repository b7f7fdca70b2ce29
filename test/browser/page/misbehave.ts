/** What a page must not do: the tests of the kit look whether it is caught. */

import { WiceError } from "@wice/core";
import type { WebPage } from "../web-page.ts";

export const misbehave: WebPage["misbehave"] = (how) => {
  switch (how) {
    case "eval":
      try {
        new Function("return 1")();
      } catch {
        // A library would go on without.
      }
      break;
    case "inline script": {
      const script = document.createElement("script");
      script.textContent = "0";
      document.head.append(script);
      break;
    }
    case "console":
      console.error("something went wrong");
      break;
    case "uncaught":
      setTimeout(() => {
        throw new Error("nobody catches this");
      });
      break;
    case "reject":
      throw new WiceError("unavailable", "there is nothing", { retryable: true, cause: new Error("why") });
  }
};
