import { type Channel, isWiceError, type Session, type SessionStatus, WiceError } from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import type { FakeAgentOptions } from "./support/fake-agent.ts";
import { bytes, text } from "./support/recording-port.ts";
import { createSessionPair } from "./support/session-pair.ts";

const hasCode = (code: string) => expect.objectContaining({ name: "WiceError", code });
const window = 4_194_304;
const large = 65_536 - 64;

async function scene(options: FakeAgentOptions = {}) {
  const clock = createVirtualClock();
  const pair = createSessionPair(clock, options);
  await clock.runUntil(pair.connect());
  const [one, other] = pair.ends;
  return { clock, pair, one, other };
}

async function read(session: Pick<Session, typeof Symbol.asyncIterator>): Promise<string> {
  return text((await session[Symbol.asyncIterator]().next()).value);
}

async function readAll(session: AsyncIterable<Uint8Array>): Promise<string[]> {
  const all: string[] = [];
  for await (const message of session) all.push(text(message));
  return all;
}

/** Sends until the other application has to take something, and returns how many messages that were. */
async function fill(clock: { advance(ms: number): Promise<void> }, session: Session): Promise<number> {
  let resolved = 0;
  for (let n = 0; n < 70; n += 1)
    session.send(new Uint8Array(large)).then(
      () => {
        resolved += 1;
      },
      () => {},
    );
  await clock.advance(1_000);
  expect(resolved).toBe(window / 65_536);
  return resolved;
}

describe("a session whose connection is replaced", () => {
  test("loses nothing of what was under way, in either direction", async () => {
    const { clock, pair, one, other } = await scene();
    await one.session.send(bytes("one"));
    await other.session.send(bytes("uno"));
    await clock.runUntil(pair.replace([10, 0]));
    await clock.runUntil(one.session.send(bytes("two")));
    await clock.runUntil(other.session.send(bytes("due")));
    await clock.advance(100);
    expect([await read(other.session), await read(other.session)]).toEqual(["one", "two"]);
    expect([await read(one.session), await read(one.session)]).toEqual(["uno", "due"]);
  });

  test.each([
    [0, 0],
    [200, 0],
    [0, 200],
  ])(
    "goes on sending though the word of what was taken was lost with the old one (late by %i and %i ms)",
    async (...late) => {
      const { clock, pair, one, other } = await scene();
      await fill(clock, one.session);
      pair.cut();
      // All is taken, and told into the void.
      for (let n = 0; n < 64; n += 1) await read(other.session);
      await clock.advance(60);
      await clock.runUntil(pair.replace(late));
      await clock.advance(1_000);
      for (let n = 0; n < 6; n += 1) expect((await read(other.session)).length).toBe(large);
      await clock.runUntil(one.session.close());
      expect(one.closes).toEqual(["done"]);
    },
  );

  test("is told what came on the old one, though one end has taken the new one before the other had it", async () => {
    const { clock, pair, one, other } = await scene();
    for (let round = 0; round < 3; round += 1) {
      await one.session.send(bytes(`a${round}`));
      await clock.runUntil(pair.replace(round % 2 === 0 ? [0, 200] : [200, 0]));
      await clock.runUntil(one.session.send(bytes(`b${round}`)));
    }
    const heard = readAll(other.session);
    await clock.runUntil(one.session.close());
    expect(await heard).toEqual(["a0", "b0", "a1", "b1", "a2", "b2"]);
  });

  test("tells of it, of its restarts, and of the end", async () => {
    const { clock, pair, one } = await scene();
    const seen: SessionStatus[] = [];
    const watching = (async () => {
      for await (const status of one.session.status()) seen.push(status);
    })();
    await clock.runUntil(pair.replace());
    one.owned.onState(false);
    expect(one.session.state).toBe("reconnecting");
    one.owned.onState(true);
    one.owned.onState(true);
    await clock.runUntil(pair.restart(1));
    await clock.runUntil(one.session.close({ reason: "enough" }));
    await watching;
    expect(seen).toEqual([
      { type: "connection" },
      { type: "reconnecting" },
      { type: "connected" },
      { type: "moved", instance: one.session.instance },
      { type: "connection" },
      { type: "closed", end: { cause: "closed", reason: "enough" } },
    ]);
    expect(one.session.state).toBe("closed");
  });
});

describe("status()", () => {
  test("keeps the latest 64 for an application that does not look", async () => {
    const { one } = await scene();
    const statuses = one.session.status();
    for (let n = 0; n < 100; n += 1) one.owned.onState(n % 2 === 1);
    one.end({ cause: "lost", reason: "" });
    const seen: string[] = [];
    for await (const { type } of statuses) seen.push(type);
    expect(seen).toHaveLength(64);
    expect(seen.at(-1)).toBe("closed");
  });

  test("is over at once for a session that has ended, and for who leaves it", async () => {
    const { clock, one } = await scene();
    const left = one.session.status()[Symbol.asyncIterator]();
    await left.return?.();
    await clock.runUntil(one.session.close());
    expect(await left.next()).toEqual({ done: true, value: undefined });
    for await (const status of one.session.status()) throw new Error(status.type);
  });
});

describe("leaving the iteration of a session", () => {
  test("lets arrive what was sent, then ends in order", async () => {
    const { clock, one, other } = await scene({ bytesPerMs: 1_000 });
    await other.session.send(bytes("go"));
    const sending: Promise<void>[] = [];
    const leaving = (async () => {
      for await (const _ of one.session) {
        for (let n = 0; n < 40; n += 1) sending.push(one.session.send(new Uint8Array(large).fill(65 + n)));
        break;
      }
    })();
    const heard = readAll(other.session);
    await clock.runUntil(leaving);
    await Promise.all(sending);
    expect((await clock.runUntil(heard)).map(([first]) => first).join("")).toBe(
      "ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh",
    );
    expect(await other.session.closed).toEqual({ cause: "closed-by-peer", reason: "done" });
    expect(await one.session.closed).toEqual({ cause: "closed", reason: "done" });
  });

  test("does not wait for what the other side sends on and on", async () => {
    const { clock, one, other } = await scene();
    const sending = (async () => {
      for (;;) await other.session.send(new Uint8Array(large));
    })();
    const leaving = (async () => {
      for await (const _ of one.session) break;
    })();
    await expect(clock.runUntil(sending)).rejects.toEqual(hasCode("closed"));
    await clock.runUntil(leaving);
    expect(one.closes).toEqual(["done"]);
  });

  test.each(["cancel", "abort"])("is what %s of a Web Stream does, too", async (call) => {
    const { clock, one, other } = await scene();
    await one.session.send(bytes("one"));
    const heard = readAll(other.session);
    await clock.runUntil(call === "cancel" ? one.session.readable.cancel() : one.session.writable.abort());
    expect(await clock.runUntil(heard)).toEqual(["one"]);
    expect(await other.session.closed).toMatchObject({ cause: "closed-by-peer" });
  });
});

describe("closing a session", () => {
  test("waits for the other application, and takes nothing new", async () => {
    const { clock, one, other } = await scene();
    await one.session.send(bytes("one"));
    const closing = one.session.close({ reason: "bye" });
    expect(one.session.close()).toBe(closing);
    await expect(one.session.send(bytes("two"))).rejects.toEqual(hasCode("closed"));
    await clock.advance(4_000);
    expect(one.closes).toEqual([]);
    expect(await read(other.session)).toBe("one");
    await clock.advance(100);
    expect(one.closes).toEqual(["bye"]);
    expect(await readAll(other.session)).toEqual([]);
  });

  test.each([
    [undefined, 5_000],
    [0, 0],
    [300, 300],
  ])("waits no longer than it may: drainMs %s", async (drainMs, waitMs) => {
    const { clock, one, other } = await scene();
    await one.session.send(bytes("one"));
    await clock.advance(100);
    const startMs = clock.now();
    await clock.runUntil(one.session.close({ drainMs }));
    expect(clock.now() - startMs).toBe(waitMs);
    expect(await readAll(other.session)).toEqual(["one"]);
  });

  test("is done when the other side has closed it meanwhile", async () => {
    const { clock, one, other } = await scene();
    await one.session.send(bytes("one"));
    const closing = one.session.close();
    await clock.runUntil(other.session.close());
    await closing;
    expect(await one.session.closed).toEqual({ cause: "closed-by-peer", reason: "done" });
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });

  test("waits while the connection is away, and for the one that comes", async () => {
    const { clock, pair, one, other } = await scene();
    pair.cut();
    await clock.advance(200);
    const sending = one.session.send(bytes("one"));
    const heard = readAll(other.session);
    const closing = one.session.close();
    await clock.advance(1_000);
    await clock.runUntil(pair.replace());
    await clock.runUntil(closing);
    await sending;
    expect(await heard).toEqual(["one"]);
  });

  test("leaves no connection, no timer and no handler", async () => {
    const { clock, pair, one, other } = await scene();
    const channel = one.session.channel("further");
    await channel.send(bytes("x"));
    await other.session.send(bytes("y"));
    await clock.runUntil(read(one.session));
    await clock.runUntil(one.session.close({ drainMs: 10 }));
    await clock.advance(60_000);
    expect([pair.open, clock.pending]).toEqual([0, 0]);
    await expect(channel.send(bytes("x"))).rejects.toEqual(hasCode("closed"));
    expect(() => one.session.channel("late")).toThrow(hasCode("closed"));
  });
});

describe("a peer that sends more than it may", () => {
  const flood = (from: { readonly owned: { readonly live: { readonly connection: { readonly main: unknown } } } }) => {
    const main = from.owned.live.connection.main as { send(message: Uint8Array): void };
    for (let n = 0; n < 65; n += 1) main.send(new Uint8Array(large));
  };

  test("ends the session with an error for our application and a reason for it", async () => {
    const { clock, one, other } = await scene();
    flood(other);
    await clock.advance(100);
    const end = { reason: "the peer sends more than it was allowed to" };
    expect(await one.session.closed).toEqual({ ...end, cause: "closed" });
    expect(await other.session.closed).toEqual({ ...end, cause: "closed-by-peer" });
    for (let n = 0; n < 64; n += 1) await read(one.session);
    await expect(read(one.session)).rejects.toEqual(hasCode("protocol"));
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });

  test("does so with messages that come before our application has the session, which are not kept", async () => {
    const clock = createVirtualClock();
    const pair = createSessionPair(clock);
    // The other end has the session one second earlier.
    const connecting = pair.connect([1_000, 0]);
    await clock.advance(500);
    flood(pair.ends[1]);
    flood(pair.ends[1]);
    await clock.runUntil(connecting);
    const [one] = pair.ends;
    await clock.advance(10);
    expect(await one.session.closed).toMatchObject({ cause: "closed" });
    const kept: Uint8Array[] = [];
    const error: unknown = await (async () => {
      for await (const message of one.session) kept.push(message);
    })().catch((reason: unknown) => reason);
    expect(error).toEqual(hasCode("protocol"));
    expect(kept).toHaveLength(64);
  });
});

describe("a peer that has restarted", () => {
  test("hears what waits, from its beginning is heard, and what was under way is lost", async () => {
    const { clock, pair, one } = await scene();
    const sent = await fill(clock, one.session);
    await clock.runUntil(pair.restart(1));
    const [, other] = pair.ends;
    await other.session.send(bytes("new"));
    expect(await clock.runUntil(read(one.session))).toBe("new");
    await clock.advance(1_000);
    await one.session.send(bytes("after"));
    const closing = one.session.close();
    const heard = readAll(other.session);
    await clock.runUntil(closing);
    const all = await heard;
    expect(all).toHaveLength(70 - sent + 1);
    expect(all.at(-1)).toBe("after");
  });
});

describe("a further channel", () => {
  async function opened(options: FakeAgentOptions = {}) {
    const all = await scene(options);
    const { clock, one, other } = all;
    const ours = one.session.channel("chat");
    const theirs = (await clock.runUntil(other.session.channels[Symbol.asyncIterator]().next())).value as Channel;
    return { ...all, ours, theirs };
  }

  test("carries messages both ways, beside the session's own", async () => {
    const { clock, one, other, ours, theirs } = await opened();
    expect([ours.label, theirs.label]).toEqual(["chat", "chat"]);
    await ours.send(bytes("one"));
    await one.session.send(bytes("main"));
    await theirs.send(bytes("two"));
    await clock.advance(10);
    expect([await read(theirs), await read(ours), await read(other.session)]).toEqual(["one", "two", "main"]);
  });

  test("waits for its own reader", async () => {
    const { clock, ours, theirs, one, other } = await opened();
    const sending = Array.from({ length: 70 }, () => ours.send(new Uint8Array(large)));
    await clock.advance(1_000);
    await one.session.send(bytes("main"));
    expect(await clock.runUntil(read(other.session))).toBe("main");
    for (let n = 0; n < 70; n += 1) await clock.runUntil(read(theirs));
    await Promise.all(sending);
  });

  test("is closed in order: what was sent arrives, then the other end is over", async () => {
    const { clock, ours, theirs } = await opened({ bytesPerMs: 1_000 });
    const sending = Array.from({ length: 40 }, (_, n) => ours.send(new Uint8Array(large).fill(65 + n)));
    const closing = ours.close();
    expect(ours.close()).toBe(closing);
    await expect(ours.send(bytes("late"))).rejects.toEqual(hasCode("closed"));
    expect(await clock.runUntil(readAll(theirs))).toHaveLength(40);
    await clock.runUntil(closing);
    await Promise.all(sending);
    await expect(theirs.send(bytes("x"))).rejects.toEqual(hasCode("closed"));
    expect(await readAll(ours)).toEqual([]);
  });

  test("is closed after 5 seconds though the other application does not read", async () => {
    const { clock, ours, theirs } = await opened();
    await ours.send(bytes("one"));
    const startMs = clock.now();
    await clock.runUntil(ours.close());
    expect(clock.now() - startMs).toBe(5_000);
    await clock.advance(10);
    expect(await readAll(theirs)).toEqual(["one"]);
  });

  test("is closed by leaving its iteration, which leaves the session alone", async () => {
    const { clock, one, ours, theirs, other } = await opened();
    await theirs.send(bytes("one"));
    await clock.advance(10);
    for await (const _ of ours) break;
    await clock.advance(10);
    expect(await readAll(theirs)).toEqual([]);
    await one.session.send(bytes("main"));
    expect(await clock.runUntil(read(other.session))).toBe("main");
  });

  test.each(["replaced", "moved"])("ends with unavailable when the connection is %s", async (how) => {
    const { clock, pair, one, ours } = await opened();
    const reading = ours[Symbol.asyncIterator]().next();
    const writing = Array.from({ length: 70 }, () => ours.send(new Uint8Array(large)));
    const ends = Promise.all([reading, ...writing]).catch((error: unknown) => error);
    await clock.runUntil(how === "replaced" ? pair.replace() : pair.restart(1));
    const error = await ends;
    expect(error).toEqual(hasCode("unavailable"));
    expect((error as WiceError).retryable).toBe(true);
    await expect(ours.send(bytes("x"))).rejects.toEqual(hasCode("unavailable"));
    await ours.close();
    // There can be another.
    const again = one.session.channel("again");
    await again.send(bytes("x"));
    await clock.advance(100);
    const { value } = await pair.ends[1].session.channels[Symbol.asyncIterator]().next();
    expect(await read(value as Channel)).toBe("x");
  });

  test("ends with unavailable when the agent closes the connection by itself", async () => {
    const { clock, other, theirs } = await opened();
    const reading = theirs[Symbol.asyncIterator]().next();
    const ends = reading.catch((error: unknown) => error);
    other.owned.live.connection.close();
    expect(await clock.runUntil(ends)).toEqual(hasCode("unavailable"));
    // There is none to open another on.
    expect(() => other.session.channel("again")).toThrow(hasCode("unavailable"));
  });

  test("ends like the session: in order, or with unavailable where that is lost", async () => {
    for (const cause of ["closed", "lost"] as const) {
      const { one, ours } = await opened();
      const ends = ours[Symbol.asyncIterator]()
        .next()
        .catch((error: unknown) => error);
      one.end({ cause, reason: "" });
      expect(await ends).toEqual(cause === "lost" ? hasCode("unavailable") : { done: true, value: undefined });
    }
  });

  test("is closed when the peer sends more on it than it may; the session goes on", async () => {
    const { clock, one, other, ours, theirs } = await opened();
    const port = one.owned.live.connection.openChannel("raw", {});
    await clock.advance(10);
    const raw = (await other.session.channels[Symbol.asyncIterator]().next()).value as Channel;
    for (let n = 0; n < 65; n += 1) port.send(new Uint8Array(large));
    await clock.advance(10);
    expect(port.state).toBe("closed");
    const error = await readAll(raw).catch((reason: unknown) => reason);
    expect(error).toEqual(hasCode("protocol"));
    await ours.send(bytes("one"));
    expect(await clock.runUntil(read(theirs))).toBe("one");
  });

  test("that nobody takes is closed when 64 wait", async () => {
    const { clock, one, other } = await scene();
    const channels = Array.from({ length: 65 }, (_, n) => one.session.channel(`c${n}`));
    await clock.advance(100);
    expect(await readAll(channels[64] as Channel)).toEqual([]);
    await (channels[63] as Channel).send(bytes("x"));
    const labels: string[] = [];
    for await (const { label } of other.session.channels) if (labels.push(label) === 64) break;
    expect(labels.at(-1)).toBe("c63");
  });

  test("of an agent that refuses it is told as the agent says", async () => {
    const { one } = await scene();
    const { connection } = one.owned.live;
    connection.openChannel = () => {
      throw new WiceError("unsupported", "no channels");
    };
    const attempt = () => one.session.channel("x");
    expect(attempt).toThrow(hasCode("unsupported"));
  });
});

test("a session that is lost says so to all who wait", async () => {
  const { one } = await scene();
  const reading = read(one.session).catch((error: unknown) => error);
  one.end({ cause: "lost", reason: "" });
  expect(isWiceError(await reading, "unavailable")).toBe(true);
  await expect(one.session.send(bytes("x"))).rejects.toEqual(hasCode("unavailable"));
  expect(await one.session.closed).toEqual({ cause: "lost", reason: "" });
  await one.session.close();
  expect(one.closes).toEqual([]);
});
