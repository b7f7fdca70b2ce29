import { describe, expect, test } from "vitest";
import { watchSleep } from "../src/connect/sleep.ts";
import { stubPage } from "./support/page.ts";

function watch() {
  const told: string[] = [];
  const stop = watchSleep({ onSleep: () => told.push("sleep"), onWake: () => told.push("wake") });
  return { told, stop };
}

describe("a page", () => {
  test("is about to sleep when it is frozen, and when it is kept for when the user goes back to it", () => {
    const page = stubPage();
    const { told } = watch();
    page.onDocument("freeze");
    page.onWindow("pagehide", { persisted: true });
    expect(told).toEqual(["sleep", "sleep"]);
  });

  test("wakes up when it goes on, when the user goes back to it, and when the network is back", () => {
    const page = stubPage();
    const { told } = watch();
    page.onDocument("resume");
    page.onWindow("pageshow", { persisted: true });
    page.onWindow("online");
    expect(told).toEqual(["wake", "wake", "wake"]);
  });

  test("neither sleeps nor wakes when it is shown for the first time, goes away for good, or loses the network", () => {
    const page = stubPage();
    const { told } = watch();
    page.onWindow("pageshow", { persisted: false });
    page.onWindow("pagehide", { persisted: false });
    page.onWindow("offline");
    page.setVisible(false);
    page.setVisible(true);
    expect(told).toEqual([]);
  });

  test("is not watched any more once that was stopped", () => {
    const page = stubPage();
    const { told, stop } = watch();
    expect(page.listeners).toBeGreaterThan(0);
    stop();
    expect(page.listeners).toBe(0);
    page.onWindow("online");
    page.onDocument("freeze");
    expect(told).toEqual([]);
  });
});

test("a worker, which has no document, wakes up when the network is back", () => {
  const page = stubPage({ without: "document" });
  const { told, stop } = watch();
  page.onWindow("online");
  expect(told).toEqual(["wake"]);
  stop();
  expect(page.listeners).toBe(0);
});

test("a platform without events of any kind has nothing to watch", () => {
  const { told, stop } = watch();
  stop();
  expect(told).toEqual([]);
});
