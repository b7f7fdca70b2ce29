/** The session between the two: how it is and why, what it measures, and what can be done with it. */

import type { SelectedPair, Session, Verdict } from "@wice/core";
import type { Measurement } from "../session/measurements.ts";
import { duration, sentence, size } from "../text.ts";
import { handOnFocus } from "./focus.ts";
import { createPlot } from "./plot.ts";
import { byId, element, replaceText, slot } from "./slots.ts";
import { type Light, showState } from "./state-view.ts";

export interface ConnectionActions {
  connect(): void;
  close(): void;
  restart(): void;
  /** Resolves with bytes per second. */
  measure(): Promise<number>;
}

export interface OtherState {
  /** There is somebody to connect to. */
  readonly isKnown: boolean;
  /** And that is being done. */
  readonly isCalling: boolean;
}

export interface ConnectionView {
  showVerdict(verdict: Verdict, session: Session | undefined, other: OtherState): void;
  showMeasurement(measured: Measurement, pair: SelectedPair | undefined, roundTripMs: number | undefined): void;
  /** Nothing flows, and nothing can be measured. */
  showGap(): void;
  /** How long the last `connect` took. */
  showTook(ms: number): void;
}

const maxPairs = 12;
const restartText = "Another path is looked for, with new credentials; what flows goes on meanwhile.";
const sayForMs = 5_000;

export function createConnectionView(actions: ConnectionActions): ConnectionView {
  const root = byId("connection");
  const button = (name: string): HTMLButtonElement => slot(root, name, HTMLButtonElement);
  const [connect, close, restart, measure] = ["connect", "close", "restart", "measure"].map(button) as [
    HTMLButtonElement,
    HTMLButtonElement,
    HTMLButtonElement,
    HTMLButtonElement,
  ];
  const measured = slot(root, "measured");
  const roundTrip = createPlot("Round trip", (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`);
  const speed = createPlot("Speed", (bytes) => `${size(bytes)}/s`);
  const plots = slot(root, "plots");
  plots.append(roundTrip.element, speed.element);
  let [took, path, protection, measuring] = ["", "", "", false];

  const showFacts = (): void => {
    const facts = [
      ["Connected in", took],
      ["Path", path],
      ["Protection", protection],
    ].filter(([, text]) => text !== "");
    replaceText(
      slot(root, "facts"),
      facts.flatMap(([name = "", text = ""]) => [element("dt", "", name), element("dd", "", text)]),
    );
  };
  connect.addEventListener("click", actions.connect);
  close.addEventListener("click", actions.close);
  restart.addEventListener("click", () => {
    actions.restart();
    if (measuring) return;
    measured.hidden = false;
    measured.textContent = restartText;
    setTimeout(() => {
      if (measured.textContent === restartText) measured.hidden = true;
    }, sayForMs);
  });
  const showPairs = (pairs: Measurement["pairs"]): void => {
    const rows = pairs.slice(0, maxPairs).map(({ local, remote, state, selected }) => {
      const row = element("li", selected ? "selected" : "", `${local} → ${remote} `);
      row.append(element("span", "quiet", selected ? "in use" : state));
      return row;
    });
    replaceText(slot(root, "pairs"), rows.length > 0 ? rows : [element("li", "", "None.")]);
  };
  /** What is said of a session that is no more. */
  const forget = (): void => {
    [path, protection, took] = ["", "", ""];
    roundTrip.clear();
    speed.clear();
    showPairs([]);
    if (!measuring) measured.hidden = true;
  };
  const showMeasuring = (now: boolean): void => {
    measuring = now;
    // It is not disabled: it would lose the focus.
    measure.ariaDisabled = `${now}`;
  };
  measure.addEventListener("click", async () => {
    if (measuring) return;
    showMeasuring(true);
    measured.hidden = false;
    measured.textContent = "As much as the other side takes, for three seconds…";
    try {
      measured.textContent = `The other side got ${size(await actions.measure())} a second.`;
    } catch (error) {
      const isLate = error instanceof DOMException && error.name === "TimeoutError";
      measured.textContent = isLate
        ? "The other side did not say how much it got: it is no page like this one, or the path is too slow to tell."
        : "It ended early: the connection was lost or closed. Connect, and measure again.";
    } finally {
      showMeasuring(false);
    }
  });

  return {
    showVerdict({ code, text, next }, session, { isKnown, isCalling }) {
      const state = session?.state ?? "none";
      const up = state === "connected";
      const over = state === "none" || state === "closed";
      const light = up ? "good" : lightOf(code, !over || isCalling);
      showState(slot(root, "state"), light, up ? "connected" : wordOf(code));
      const verdict = slot(root, "verdict");
      const words = up
        ? "Data flows from one to the other, and needs no envelope any more."
        : `${sentence(text)}${next === "nothing" ? "" : ` ${sentence(next)}`}`;
      if (verdict.textContent !== words) verdict.textContent = words;
      const [connectable, closable] = [isKnown && over && !isCalling, !over || isCalling];
      if (connectable) connect.hidden = false;
      if (closable) close.disabled = false;
      if (connectable) handOnFocus(close, connect);
      if (closable) handOnFocus(connect, close);
      connect.hidden = !connectable;
      close.disabled = !closable;
      restart.disabled = !up;
      measure.disabled = !up;
      plots.hidden = over;
      if (session === undefined || over) forget();
      else
        protection = { dtls: "DTLS, whose certificate came sealed", sealed: "sealed", none: "none" }[
          session.protection
        ];
      showFacts();
    },
    showTook(ms) {
      took = duration(ms);
      showFacts();
    },
    showGap() {
      roundTrip.add(undefined);
      speed.add(undefined);
      path = "";
      showFacts();
    },
    showMeasurement({ bytesPerSecond, pairs }, pair, roundTripMs) {
      roundTrip.add(roundTripMs);
      speed.add(bytesPerSecond);
      if (pair !== undefined) path = `${pair.local.type} to ${pair.remote.type}, ${pair.local.protocol}`;
      showPairs(pairs);
      showFacts();
    },
  };
}

const refused: ReadonlySet<string> = new Set(["declined", "no-common-agent", "no-agent"]);

/** `goesOn`: a session is had, or waited for. */
function lightOf(code: string, goesOn: boolean): Light {
  if (code === "connecting") return "waiting";
  if (refused.has(code)) return "bad";
  return goesOn ? "trouble" : "off";
}

function wordOf(code: string): string {
  if (code === "idle" || code === "closed" || code === "closed-by-peer")
    return code === "idle" ? "not connected" : "closed";
  return code.replaceAll("-", " ");
}
