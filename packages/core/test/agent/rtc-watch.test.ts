import { describe, expect, test } from "vitest";
import { watchRtc } from "../../src/agent/rtc-watch.ts";
import type { WiceErrorCode } from "../../src/errors.ts";

/** An RTCPeerConnection that is in whatever state a test wants. */
function createScene() {
  const pc = Object.assign(new EventTarget(), { connectionState: "new", iceConnectionState: "new" });
  const channel = { state: "connecting" as "connecting" | "open" | "closed", wasOpen: false };
  const told: string[] = [];
  const watch = watchRtc([channel] as never, (state, failure) => {
    told.push(failure === undefined ? state : `${state}: ${failure.code satisfies WiceErrorCode}`);
  });
  watch.begin(pc as never);
  return {
    ...{ channel, told, watch },
    show(connectionState: string, iceConnectionState: string) {
      Object.assign(pc, { connectionState, iceConnectionState });
      pc.dispatchEvent(new Event("connectionstatechange"));
    },
    open() {
      Object.assign(channel, { state: "open", wasOpen: true });
      watch.look();
    },
  };
}

/** When what was put off has happened. */
const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe("what a connection is doing", () => {
  test("is connected when its channels are open, and disconnected only after that", () => {
    const { show, open, told } = createScene();
    show("disconnected", "disconnected");
    show("connected", "connected");
    expect(told).toEqual([]);
    open();
    show("disconnected", "disconnected");
    show("connected", "connected");
    expect(told).toEqual(["connected", "disconnected", "connected"]);
  });

  test("is forged when DTLS fails on a path that ICE has found", () => {
    const { show, told } = createScene();
    show("connecting", "connected");
    show("failed", "connected");
    expect(told).toEqual(["failed: forged"]);
  });

  test("is failed, and no more, when ICE loses the path before DTLS is through", () => {
    const { show, told } = createScene();
    show("connecting", "connected");
    show("connecting", "disconnected");
    show("failed", "failed");
    expect(told).toEqual(["failed"]);
  });

  test("is forged when it closes by itself sooner than ICE gives up", async () => {
    const { show, told, watch } = createScene();
    watch.described();
    show("closed", "closed");
    expect(told).toEqual([]);
    await later();
    expect(told).toEqual(["failed: forged"]);
  });

  test("is closed when it was open once, though that is told only after its end", async () => {
    const { show, told, watch, channel } = createScene();
    watch.described();
    show("closed", "closed");
    channel.wasOpen = true;
    await later();
    expect(told).toEqual(["closed"]);
  });

  test("is closed when it closes before there was a description to compare with", async () => {
    const { show, told } = createScene();
    show("closed", "closed");
    await later();
    expect(told).toEqual(["closed"]);
  });

  test("is not forged any more once it was connected", () => {
    const { show, open, told, channel } = createScene();
    show("connected", "connected");
    open();
    channel.state = "closed";
    show("failed", "connected");
    expect(told).toEqual(["connected", "closed"]);
  });

  test("stays as it was declared, whatever is said", async () => {
    const { show, told, watch } = createScene();
    watch.described();
    show("closed", "closed");
    watch.declare("failed");
    await later();
    show("connected", "connected");
    expect([watch.state, told]).toEqual(["failed", []]);
  });
});
