/** Looks at a side's session once a second, and shows what it measures. */

import { createMeter } from "./session/measurements.ts";
import type { Side } from "./side.ts";
import type { ConnectionView } from "./view/connection-view.ts";

const measureEveryMs = 1_000;

export function measureForever(side: Side, view: ConnectionView, onTick: () => void): void {
  let meter: { readonly session: Side["session"]; readonly read: ReturnType<typeof createMeter> } | undefined;
  let underWay = false;
  const measure = async (): Promise<void> => {
    const { session, talk } = side;
    if (session?.state === "reconnecting") view.showGap();
    if (session?.state !== "connected" || talk === undefined) return;
    if (meter?.session !== session) meter = { session, read: createMeter(session) };
    const [measured, pair, roundTripMs] = await Promise.all([meter.read(), session.selectedPair(), talk.ping()]);
    // It may have ended meanwhile.
    if (side.session === session && session.state === "connected") view.showMeasurement(measured, pair, roundTripMs);
  };
  setInterval(() => {
    onTick();
    if (underWay) return;
    underWay = true;
    const done = (): void => {
      underWay = false;
    };
    // A connection that is being replaced has nothing to tell.
    measure().then(done, done);
  }, measureEveryMs);
}
