/** Ends that overlap with something else: calls, other ends, and sessions and channels that nobody has taken. */

import {
  type Channel,
  createBackend,
  createInProcessNetwork,
  createPeer,
  generatePrivateKey,
  type PeerOptions,
  type Session,
} from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { createFakeNetwork } from "./support/fake-agent.ts";
import { bytes } from "./support/recording-port.ts";
import { createSessionPair } from "./support/session-pair.ts";
import { createStage, everybody, listenTo, makeKeys, text } from "./support/stage.ts";

const keys = makeKeys();

/** As many keys as a test wants. */
function callers() {
  const clock = createVirtualClock();
  const paths = createFakeNetwork(clock);
  const signaling = createInProcessNetwork();
  return {
    clock,
    make(options: Partial<PeerOptions> = {}) {
      const privateKey = generatePrivateKey();
      const backend = createBackend(signaling.connect(), { clock });
      return { privateKey, peer: createPeer({ privateKey, backend, agents: [paths.agent()], clock, ...options }) };
    },
  };
}

describe("a session that is being closed, and whose last messages nobody takes yet,", () => {
  const closing = async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start("controlling", everybody), stage.start("controlled", everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await session.send(text.encode("last"));
    const done = session.close();
    await stage.clock.advance(1_000);
    return { stage, we, they, session, done };
  };

  test("is not what the next call gets", async () => {
    const { stage, we, they, session, done } = await closing();
    const other = await stage.clock.runUntil(we.call(they));
    expect(other).not.toBe(session);
    expect([session.state, other.state]).toEqual(["closed", "connected"]);
    await stage.clock.runUntil(done);
    expect(we.sessions).toEqual([other]);
    const heard = listenTo(they.incoming[1] as Session);
    await other.send(text.encode("anew"));
    await stage.clock.advance(1_000);
    expect(heard).toEqual(["anew"]);
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });

  test("is not what a call gets that waited for its lost path", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start("controlling", everybody), stage.start("controlled", everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await session.send(text.encode("last"));
    await stage.clock.advance(100);
    stage.paths.setUp(false);
    await stage.clock.advance(6_000);
    expect(session.state).toBe("reconnecting");
    const called = we.call(they);
    const done = session.close({ drainMs: 20_000 });
    await stage.clock.advance(1_000);
    stage.paths.setUp(true);
    const other = await stage.clock.runUntil(called);
    expect(other).not.toBe(session);
    expect(other.state).toBe("connected");
    await stage.clock.runUntil(done);
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });

  test("leaves a call that is given up meanwhile in peace", async () => {
    const { stage, we, they, done } = await closing();
    const given = new AbortController();
    const called = we.call(they, { signal: given.signal });
    called.catch(() => {});
    await stage.clock.advance(1_000);
    given.abort(new Error("enough"));
    await expect(called).rejects.toThrow("enough");
    await stage.clock.runUntil(done);
    await stage.clock.advance(10_000);
    expect([we.sessions, we.peer.explain(they.key.publicKey).code]).toEqual([[], "closed"]);
    await stage.end();
  });
});

describe("close()", () => {
  const scene = async () => {
    const clock = createVirtualClock();
    const pair = createSessionPair(clock);
    await clock.runUntil(pair.connect());
    const [{ session }, other] = pair.ends;
    await session.send(bytes("last"));
    return { clock, session, other };
  };

  test("is hastened by another that has less time", async () => {
    const { clock, session } = await scene();
    const done = session.close({ drainMs: 2 ** 31 - 1 });
    await clock.advance(60_000);
    expect(session.state).toBe("connected");
    expect(session.close({ drainMs: 0 })).toBe(done);
    await clock.advance(0);
    expect(session.state).toBe("closed");
    expect(await session.closed).toEqual({ cause: "closed", reason: "done" });
  });

  test("is not hastened by one that says nothing of time, nor slowed by one that has more", async () => {
    const { clock, session } = await scene();
    void session.close({ drainMs: 20_000 });
    void session.close();
    void session.close({ drainMs: 60_000 });
    await clock.advance(19_999);
    expect(session.state).toBe("connected");
    await clock.advance(1);
    expect(session.state).toBe("closed");
  });

  test("tells the peer of the end though its reason is no text for that", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start("controlling", everybody), stage.start("controlled", everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await stage.clock.runUntil(session.close({ reason: `too\nlong ${"x".repeat(100_000)}` }));
    const end = { cause: "closed-by-peer", reason: `too long ${"x".repeat(119)}` };
    expect(await stage.clock.runUntil((they.incoming[0] as Session).closed)).toEqual(end);
    await stage.end();
  });
});

describe("who leaves the iteration", () => {
  test("of incoming sessions closes those that it would have got", async () => {
    const { clock, make } = callers();
    const called = make({ accept: () => true });
    const waiting = [make(), make(), make()].map(({ peer }) => peer.connect(called.privateKey.publicKey));
    const sessions = await clock.runUntil(Promise.all(waiting));
    await clock.advance(1_000);
    for await (const session of called.peer.incoming) {
      expect(session.state).toBe("connected");
      break;
    }
    await clock.advance(1_000);
    expect(called.peer.sessions().length).toBe(1);
    expect(sessions.map(({ state }) => state).toSorted()).toEqual(["closed", "closed", "connected"]);
    const late = await clock.runUntil(make().peer.connect(called.privateKey.publicKey));
    expect(await clock.runUntil(late.closed)).toEqual({ cause: "closed-by-peer", reason: "busy" });
  });

  test("of channels closes those that it would have got", async () => {
    const clock = createVirtualClock();
    const pair = createSessionPair(clock);
    await clock.runUntil(pair.connect());
    const [one, other] = pair.ends;
    const opened = ["a", "b", "c"].map((label) => one.session.channel(label));
    await clock.advance(100);
    for await (const channel of other.session.channels) {
      expect(channel.label).toBe("a");
      break;
    }
    await clock.advance(100);
    const isOver = async ({ send }: Channel): Promise<string> => {
      const sent = send(bytes("?")).then(
        () => "open",
        ({ code }) => code,
      );
      await clock.advance(10);
      return sent;
    };
    expect(await Promise.all(opened.map(isOver))).toEqual(["open", "closed", "closed"]);
  });
});

describe("closing the peer", () => {
  test("lets arrive what was sent, as closing its sessions does", async () => {
    const stage = createStage(keys);
    const slow = { agent: { bytesPerMs: 100 } };
    const [we, they] = [stage.start("controlling", slow), stage.start("controlled", { ...everybody, ...slow })];
    const session = await stage.clock.runUntil(we.call(they));
    const heard = listenTo(they.incoming[0] as Session);
    const sent = Array.from({ length: 10 }, (_, index) => `${index}`.padEnd(20_000));
    await stage.clock.runUntil(Promise.all(sent.map((message) => session.send(text.encode(message)))));
    await stage.clock.runUntil(we.peer.close());
    expect(heard).toEqual(sent);
    expect(await session.closed).toEqual({ cause: "closed", reason: "the peer was closed" });
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });

  test("lets nobody in meanwhile, and calls nobody", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start("controlled", everybody), stage.start("controlling", everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await session.send(text.encode("never taken"));
    const done = we.peer.close();
    const other = stage.start("controlling");
    const called = other.call(we);
    called.catch(() => {});
    await stage.clock.advance(4_000);
    expect([session.state, other.sessions, we.sessions.length]).toEqual(["connected", [], 1]);
    await expect(we.call(they)).rejects.toMatchObject({ code: "closed" });
    await stage.clock.runUntil(done);
    await stage.clock.advance(1_000);
    expect([we.sessions, other.sessions, we.agent.open]).toEqual([[], [], 0]);
    await stage.end();
  });

  test("refuses at once who waits for a session", async () => {
    const stage = createStage(keys);
    const [we, they] = [stage.start("controlled", everybody), stage.start("controlling", everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await session.send(text.encode("never taken"));
    void session.close();
    const called = we.call(they).catch(({ code }) => code);
    const done = we.peer.close();
    expect(await called).toBe("closed");
    await stage.clock.runUntil(done);
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });
});

test("a session that is being closed opens no further channel", async () => {
  const clock = createVirtualClock();
  const pair = createSessionPair(clock);
  await clock.runUntil(pair.connect());
  const [{ session }] = pair.ends;
  await session.send(bytes("last"));
  void session.close();
  expect(() => session.channel("more")).toThrow(expect.objectContaining({ code: "closed" }));
});
