import { createVirtualClock } from "@wice/core/testing";
import { watchNetwork } from "@wice/web";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type PageOptions, stubPage } from "./support/page.ts";

afterEach(() => void vi.useRealTimers());

function watch(options?: PageOptions) {
  const page = stubPage(options);
  const clock = createVirtualClock();
  const counted = { changes: 0 };
  const stop = watchNetwork(
    () => {
      counted.changes += 1;
    },
    { clock },
  );
  return { page, clock, counted, stop };
}

describe("the network of a page may have changed", () => {
  test.each<[string, (page: ReturnType<typeof stubPage>) => void]>([
    ["the network is back", (page) => page.onWindow("online")],
    ["a frozen page goes on", (page) => page.onDocument("resume")],
    ["its user goes back to it", (page) => page.onWindow("pageshow", { persisted: true })],
    ["a phone goes from one network to another", (page) => page.setNetwork("cellular")],
  ])("when %s", async (_, happen) => {
    const { page, clock, counted } = watch();
    happen(page);
    await clock.advance(1_000);
    expect(counted.changes).toBe(1);
  });

  test("once, where several events tell of one change, and again with the next", async () => {
    const { page, clock, counted } = watch();
    page.setNetwork("cellular");
    page.onWindow("online");
    await clock.advance(100);
    page.onDocument("resume");
    await clock.advance(1_000);
    expect(counted.changes).toBe(1);
    page.setNetwork("wifi");
    await clock.advance(1_000);
    expect(counted.changes).toBe(2);
  });

  test.each([
    [9_999, 0],
    [10_000, 1],
  ])("when somebody looks at it that was hidden for %i ms: %i times", async (hiddenMs, changes) => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { page, clock, counted } = watch();
    page.setVisible(false);
    vi.setSystemTime(Date.now() + hiddenMs);
    page.setVisible(true);
    await clock.advance(1_000);
    expect(counted.changes).toBe(changes);
  });

  test("when somebody looks for the first time at one that was opened in the background", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { page, clock, counted } = watch({ visible: false });
    vi.setSystemTime(Date.now() + 60_000);
    page.setVisible(true);
    page.setVisible(true);
    await clock.advance(1_000);
    expect(counted.changes).toBe(1);
  });

  test("not when the network goes away, its speed is estimated anew, or the page is hidden", async () => {
    const { page, clock, counted } = watch();
    page.onWindow("offline");
    page.setNetwork("wifi");
    page.setVisible(false);
    await clock.advance(60_000);
    expect(counted.changes).toBe(0);
  });

  test("not any more once the watching was stopped, and nothing is left of that", async () => {
    const { page, clock, counted, stop } = watch();
    page.onWindow("online");
    stop();
    expect(page.listeners).toBe(0);
    expect(clock.pending).toBe(0);
    page.setNetwork("cellular");
    await clock.advance(1_000);
    expect(counted.changes).toBe(0);
  });

  test.each(["document", "connection"] as const)("also where there is no %s", async (without) => {
    const { page, clock, counted, stop } = watch({ without });
    page.onWindow("online");
    await clock.advance(1_000);
    expect(counted.changes).toBe(1);
    stop();
    expect(page.listeners).toBe(0);
  });
});
