/** Looks at a side's session once a second, and shows what it measures. */

import { createMeter } from "./session/measurements.ts";
import type { Side } from "./side.ts";
import type { ConnectionView } from "./view/connection-view.ts";

const measureEveryMs = 1_000;

export function measureForever(side: Side, view: ConnectionView, onTick: () => void): void {
  let meter: { readonly session: Side["session"]; readonly read: ReturnType<typeof createMeter> } | undefined;
  let roundTripMs: number | undefined;
  const step = async (): Promise<void> => {
    const { session, talk } = side;
    if (session?.state !== "connected" || talk === undefined) return;
    if (meter?.session !== session) meter = { session, read: createMeter(session) };
    talk.ping().then(
      (ms) => {
        roundTripMs = ms;
      },
      () => {
        roundTripMs = undefined;
      },
    );
    view.showMeasurement(await meter.read(), await session.selectedPair(), roundTripMs);
  };
  setInterval(() => {
    step().catch(() => {});
    onTick();
  }, measureEveryMs);
}
