/** What has happened with the other, in order. */

import type { TimelineEntry } from "@wice/core";
import { timeOfDay } from "../text.ts";
import { byId, element, isAtEnd, makeScrollable } from "./slots.ts";

export type TimelineView = (entries: readonly TimelineEntry[]) => void;

const maxEntries = 60;

export function createTimelineView(): TimelineView {
  const list = makeScrollable(byId("timeline"), "What happened to the session");
  let shown = "";
  return (entries) => {
    const last = entries.at(-1);
    const mark = `${entries.length} ${last?.atMs} ${last?.times}`;
    if (mark === shown) return;
    shown = mark;
    byId("timeline-empty").hidden = entries.length > 0;
    const follow = isAtEnd(list);
    list.replaceChildren(...entries.slice(-maxEntries).map(timelineRow));
    if (follow) list.scrollTop = list.scrollHeight;
  };
}

function timelineRow({ atMs, event, text, times }: TimelineEntry): HTMLElement {
  const time = element("time", "", timeOfDay(new Date(performance.timeOrigin + atMs)));
  const again = times === undefined ? "" : `, ${times} times`;
  const row = element("li", "", time, element("span", "event", event), element("span", "", `${text}${again}`));
  row.dataset.event = event;
  return row;
}
