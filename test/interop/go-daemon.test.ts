/** The emulated cunīcu daemon against itself: that it connects, and that it has the traps which other tests rely on. */

import { createRelay } from "@wice/node/relay";
import { describe, expect, test } from "vitest";
import { buildGo } from "../kit/go-build.ts";
import { type GoDaemonOptions, type GoPeer, type GoSignal, startGoClient, startGoDaemon } from "../kit/go-peer.ts";
import type { LineEvent } from "../kit/lines-process.ts";
import { generatePair, type TestPair, toBase64 } from "./keys.ts";

const gopeer = (await buildGo()) ?? "";

type Extra = Pick<GoDaemonOptions, "lose" | "restartGapMs" | "echo">;

/** What a daemon needs to find another. */
function between(ours: TestPair, theirs: TestPair, relay: { readonly port: number }): GoDaemonOptions {
  return { target: `127.0.0.1:${relay.port}`, key: ours.private, peer: theirs.public };
}

const inState = (state: string) => (line: LineEvent) => line.state === state;

/** Waits for that state of the n-th agent of a daemon, or of a later one. */
const untilState = (daemon: GoPeer, state: string, agent = 1): Promise<unknown> =>
  daemon.until("state", (line) => line.state === state && Number(line.agent) >= agent, { timeoutMs: 45_000 });

/** Messages that a daemon has sent, of a kind. */
const sent = (daemon: GoPeer, kind: keyof GoSignal["numbers"]): readonly GoSignal[] =>
  (daemon.find("signal") as readonly GoSignal[]).filter(({ way, numbers }) => way === "sent" && kind in numbers);

const isSent = (kind: keyof GoSignal["numbers"], number: number) => (line: LineEvent) =>
  line.way === "sent" && (line as GoSignal).numbers[kind] === number;

async function expectToCarry(from: GoPeer, to: GoPeer, text: string): Promise<void> {
  const data = toBase64(new TextEncoder().encode(text));
  await from.run("send", { data });
  await Promise.all([to, from].map((each) => each.until("data", (line) => line.data === data)));
}

/** A daemon, and a Go client in the place of its peer that says what a test wants. */
async function startBeside(relay: { readonly port: number }, extra: Extra = {}) {
  const [ours, theirs] = [generatePair(), generatePair()];
  const client = await startGoClient(gopeer, `127.0.0.1:${relay.port}`);
  const daemon = await startGoDaemon(gopeer, { ...between(ours, theirs, relay), ...extra });
  await untilState(daemon, "idle");
  return {
    daemon,
    say: (message: object) => client.run("publish", { key: theirs.private, to: ours.public, message }),
    async [Symbol.asyncDispose]() {
      await Promise.all([client.stop(), daemon.stop()]);
    },
  };
}

const credentials = (letter: string, needCreds = true) => ({
  credentials: { ufrag: letter.repeat(16), pwd: letter.repeat(32), needCreds },
});
const candidate = {
  candidate: { type: 1, networkType: 1, foundation: "1", component: 1, priority: 1, address: "192.0.2.1", port: 9 },
};

describe.skipIf(gopeer === "").concurrent("the emulated daemon", () => {
  test.each(["first", "second"])(
    "connects to another, and carries datagrams; the echoing one comes %s",
    async (order) => {
      await using relay = await createRelay();
      const [ours, theirs] = [generatePair(), generatePair()];
      const start = (echo: boolean) =>
        startGoDaemon(gopeer, { ...(echo ? between(ours, theirs, relay) : between(theirs, ours, relay)), echo });
      await using early = await start(order === "first");
      await early.until("signal", isSent("need", 2));
      await using late = await start(order !== "first");
      await Promise.all([untilState(early, "connected"), untilState(late, "connected")]);
      const [echoing, other] = order === "first" ? [early, late] : [late, early];
      await expectToCarry(other, echoing, "there and back");
      expect(early.modules["github.com/pion/ice/v4"]).toBe("v4.0.10");
      // It trickles: no message holds more than one thing.
      expect(sent(early, "message").every(({ numbers }) => !("credentials" in numbers && "candidate" in numbers))).toBe(
        true,
      );
      expect([early.complaints, late.complaints]).toEqual([[], []]);
    },
  );

  test("finds the other again through five restarts", async () => {
    await using relay = await createRelay();
    const [ours, theirs] = [generatePair(), generatePair()];
    await using one = await startGoDaemon(gopeer, { ...between(ours, theirs, relay), echo: true });
    await using other = await startGoDaemon(gopeer, between(theirs, ours, relay));
    for (let agent = 1; agent <= 6; agent++) {
      await Promise.all([untilState(one, "connected", agent), untilState(other, "connected", agent)]);
      await expectToCarry(other, one, `by agent ${agent}`);
      if (agent < 6) await (agent % 2 === 0 ? one : other).run("restart");
    }
  });

  test("restarts when the other side's credentials change, throws those away, and candidates go to its dead agent", async () => {
    await using relay = await createRelay();
    await using beside = await startBeside(relay, { restartGapMs: 300 });
    const { daemon, say } = beside;
    await say(credentials("a"));
    await untilState(daemon, "connecting");
    await say(credentials("b"));
    await untilState(daemon, "restarting");
    await say(candidate);
    const [line] = await daemon.until("candidate");
    expect(line).toMatchObject({ agent: 1, dead: true });
    await untilState(daemon, "idle", 2);
    // Only what is said again is heard, and all of it with credentials that it has never had.
    await say(credentials("b"));
    await untilState(daemon, "connecting", 2);
    const [first, ...others] = new Set(sent(daemon, "credentials").map(({ ufrag }) => ufrag));
    expect(others).toHaveLength(1);
    expect(first).not.toBe(others[0]);
  });

  test("never comes to rest with a peer that answers new credentials with new ones", async () => {
    await using relay = await createRelay();
    await using beside = await startBeside(relay, { restartGapMs: 1 });
    const { daemon, say } = beside;
    await say(credentials("a"));
    for (const [index, letter] of ["b", "c", "d", "e"].entries()) {
      await untilState(daemon, "connecting", index + 1);
      await say(credentials(letter));
      await untilState(daemon, "idle", index + 2);
      await say(credentials(letter));
    }
    expect(daemon.find("state", inState("connected"))).toEqual([]);
  });

  test("is not moved on by candidates that come before credentials", async () => {
    await using relay = await createRelay();
    await using beside = await startBeside(relay);
    const { daemon, say } = beside;
    await say(candidate);
    expect(await daemon.until("candidate")).toMatchObject([{ agent: 1, dead: false }]);
    await daemon.until("signal", isSent("need", sent(daemon, "need").length + 2));
    expect(daemon.find("state")).toHaveLength(1);
  });

  test("answers who needs its credentials while it is idle, and never again", async () => {
    await using relay = await createRelay();
    await using beside = await startBeside(relay, { lose: ["sent:answer:1"] });
    const { daemon, say } = beside;
    await say(credentials("a"));
    const [answer] = await daemon.until("signal", isSent("answer", 1));
    expect(answer).toMatchObject({ lost: true });
    for (let times = 0; times < 3; times++) await say(credentials("a"));
    await daemon.until("signal", (line) => line.way === "received" && (line as GoSignal).numbers.need === 4);
    await say(candidate);
    await daemon.until("candidate");
    expect(sent(daemon, "answer")).toHaveLength(1);
  });

  test("asks again ever more seldom: half a second first, half as much again each time, off by up to half", async () => {
    await using relay = await createRelay();
    await using beside = await startBeside(relay);
    await beside.daemon.until("signal", isSent("need", 5));
    const times = sent(beside.daemon, "need").map(({ atMs }) => atMs);
    const pauses = times.slice(1).map((time, index) => time - (times[index] as number));
    for (const [index, pause] of pauses.entries()) {
      const middle = 500 * 1.5 ** index;
      expect(pause).toBeGreaterThanOrEqual(Math.floor(middle * 0.5));
      // A machine may be busy, but hardly for a second.
      expect(pause).toBeLessThan(middle * 1.5 + 1_000);
    }
  });

  test("loses the messages it is told to lose, and those only", async () => {
    await using relay = await createRelay();
    await using beside = await startBeside(relay, { lose: ["received:candidate:1", "sent:need:2"] });
    const { daemon, say } = beside;
    await say(candidate);
    await say({ candidate: { ...candidate.candidate, port: 10 } });
    await daemon.until("candidate");
    await daemon.until("signal", isSent("need", 3));
    expect(daemon.find("candidate")).toHaveLength(1);
    const lost = (daemon.find("signal") as readonly GoSignal[]).filter((signal) => signal.lost);
    expect(lost.map(({ way, numbers }) => [way, numbers.candidate ?? numbers.need])).toEqual(
      expect.arrayContaining([
        ["received", 1],
        ["sent", 2],
      ]),
    );
    expect(lost).toHaveLength(2);
  });
});
