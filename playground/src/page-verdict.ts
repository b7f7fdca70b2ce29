/** What the page knows of a trouble, and the session cannot: its own weather, and how links let people in. */

import type { Verdict } from "@wice/core";
import type { Weather } from "./weather.ts";

export interface PageKnowledge {
  readonly weather: Readonly<Weather>;
  /** The other side is called by a link of its own. */
  readonly isGuest: boolean;
}

/** A share of envelopes that is lost so often that this is the first thing to look at. */
const heavyLoss = 0.5;

export function inThisPage(verdict: Verdict, { weather, isGuest }: PageKnowledge): Verdict {
  const { code } = verdict;
  if (code === "relay-unreachable" && weather.cut)
    return {
      code,
      text: "the weather keeps this page from signaling",
      next: "let it back in, and it goes on by itself",
    };
  if (code !== "not-heard") return verdict;
  if (weather.loss >= heavyLoss)
    return {
      code,
      text: "messages were sent, and perhaps lost in the weather",
      next: "clear up, or wait: they are sent again",
    };
  if (!isGuest) return verdict;
  return {
    ...verdict,
    next: "see whether the other page is open; it lets in the first who opens its link, and nobody after that, until it is loaded anew",
  };
}
