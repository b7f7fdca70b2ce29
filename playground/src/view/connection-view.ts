/** The session between the two: how it is and why, what it measures, and what can be done with it. */

import type { SelectedPair, Session, TimelineEntry, Verdict } from "@wice/core";
import type { Measurement } from "../session/measurements.ts";
import { duration, sentence, size, timeOfDay } from "../text.ts";
import { createPlot } from "./plot.ts";
import { byId, element, makeScrollable, slot } from "./slots.ts";
import { showState } from "./state-view.ts";

export interface ConnectionActions {
  connect(): void;
  close(): void;
  restart(): void;
  /** Resolves with bytes per second. */
  measure(): Promise<number>;
}

export interface ConnectionView {
  /** `callable`: there is somebody to connect to. */
  showVerdict(verdict: Verdict, session: Session | undefined, callable: boolean): void;
  showTimeline(entries: readonly TimelineEntry[]): void;
  showMeasurement(measured: Measurement, pair: SelectedPair | undefined, roundTripMs: number | undefined): void;
  /** How long the last `connect` took. */
  showTook(ms: number): void;
}

const maxPairs = 12;
const maxEntries = 60;

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
  makeScrollable(byId("timeline"), "What happened to the session");
  let [took, path, protection, measuring, shownTimeline] = ["", "", "", false, ""];

  const showFacts = (): void => {
    const facts = [
      ["Connected in", took],
      ["Path", path],
      ["Protection", protection],
    ].filter(([, text]) => text !== "");
    slot(root, "facts").replaceChildren(
      ...facts.flatMap(([name = "", text = ""]) => [element("dt", "", name), element("dd", "", text)]),
    );
  };
  connect.addEventListener("click", actions.connect);
  close.addEventListener("click", actions.close);
  restart.addEventListener("click", actions.restart);
  measure.addEventListener("click", async () => {
    measuring = true;
    measure.disabled = true;
    measured.hidden = false;
    measured.textContent = "As much as the other side takes, for three seconds…";
    try {
      measured.textContent = `The other side got ${size(await actions.measure())} a second.`;
    } catch {
      measured.textContent = "It ended early: the connection was lost or closed. Connect, and measure again.";
    } finally {
      measuring = false;
      measure.disabled = close.disabled;
    }
  });

  return {
    showVerdict({ code, text, next }, session, callable) {
      const state = session?.state ?? "none";
      const up = state === "connected";
      const shown = up ? "subscribed" : state === "reconnecting" || waiting.has(code) ? "lost" : stateOf(code);
      const word = up ? "connected" : wordOf(code);
      showState(slot(root, "state"), shown, word);
      const verdict = slot(root, "verdict");
      const words = up
        ? "Data flows directly from one to the other; the relay is not needed any more."
        : `${sentence(text)}${next === "nothing" ? "" : ` ${sentence(next)}`}`;
      if (verdict.textContent !== words) verdict.textContent = words;
      const over = session === undefined || state === "closed";
      connect.hidden = !callable || !over || underWay.has(code);
      close.disabled = over && !underWay.has(code);
      restart.disabled = !up;
      measure.disabled = !up || measuring;
      plots.hidden = over;
      if (over) {
        [path, protection, took] = ["", "", ""];
        roundTrip.clear();
        speed.clear();
      } else
        protection = { dtls: "DTLS, whose certificate came sealed", sealed: "sealed", none: "none" }[
          session.protection
        ];
      showFacts();
    },
    showTook(ms) {
      took = duration(ms);
      showFacts();
    },
    showTimeline(entries) {
      const last = entries.at(-1);
      const mark = `${entries.length} ${last?.atMs} ${last?.times}`;
      if (mark === shownTimeline) return;
      shownTimeline = mark;
      const list = byId("timeline");
      byId("timeline-empty").hidden = entries.length > 0;
      list.replaceChildren(...entries.slice(-maxEntries).map(timelineRow));
      list.scrollTop = list.scrollHeight;
    },
    showMeasurement({ bytesPerSecond, pairs }, pair, roundTripMs) {
      roundTrip.add(roundTripMs);
      speed.add(bytesPerSecond);
      if (pair !== undefined) path = `${pair.local.type} to ${pair.remote.type}, ${pair.local.protocol}`;
      const rows = pairs.slice(0, maxPairs).map(({ local, remote, state, selected }) => {
        const row = element("li", selected ? "selected" : "", `${local} → ${remote} `);
        row.append(element("span", "quiet", selected ? "in use" : state));
        return row;
      });
      slot(root, "pairs").replaceChildren(...(rows.length > 0 ? rows : [element("li", "", "None yet.")]));
      showFacts();
    },
  };
}

/** Something goes on with the peer. */
const underWay: ReadonlySet<string> = new Set([
  ...["connecting", "relay-unreachable", "nobody-subscribed", "not-heard", "no-path", "turn-refused", "reconnecting"],
  ...["agent-failed", "forged"],
]);
/** It goes on, but not well. */
const waiting: ReadonlySet<string> = new Set([...underWay].filter((code) => code !== "connecting"));

function stateOf(code: string): "connecting" | "idle" | "refused" {
  if (code === "connecting") return "connecting";
  return ["declined", "no-common-agent", "no-agent"].includes(code) ? "refused" : "idle";
}

function wordOf(code: string): string {
  if (code === "idle" || code === "closed" || code === "closed-by-peer")
    return code === "idle" ? "not connected" : "closed";
  return code.replaceAll("-", " ");
}

function timelineRow({ atMs, event, text, times }: TimelineEntry): HTMLElement {
  const time = element("time", "", timeOfDay(new Date(performance.timeOrigin + atMs)));
  const again = times === undefined ? "" : `, ${times} times`;
  const row = element("li", "", time, element("span", "event", event), element("span", "", `${text}${again}`));
  row.dataset.event = event;
  return row;
}
