import { WiceError } from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createFlow, type Flow } from "../../src/session/channel.ts";
import { bytes, createRecordingPort, text } from "./support/recording-port.ts";

const window = 4_194_304;
const mebibyte = 1_048_576;
/** What a message counts beside its bytes. */
const extra = 64;
const hasCode = (code: string) => expect.objectContaining({ name: "WiceError", code });
const refusal = new WiceError("unavailable", "not now");

function scene({ reliable = true, maxMessageBytes = 8 * mebibyte } = {}) {
  const clock = createVirtualClock();
  const reports: number[] = [];
  const failures: WiceError[] = [];
  const calls: string[] = [];
  const flow: Flow = createFlow({
    ...{ label: "test", reliable, clock },
    report: (consumed) => reports.push(consumed),
    async close() {
      calls.push("close");
    },
    onFailure: (error) => failures.push(error),
    onGone: () => calls.push("gone"),
  });
  const port = createRecordingPort({ reliable, maxMessageBytes });
  flow.attach(port);
  const replace = () => {
    const next = createRecordingPort({ reliable, maxMessageBytes });
    flow.attach(next);
    return next;
  };
  const read = async () => text((await flow.channel[Symbol.asyncIterator]().next()).value);
  return { clock, reports, failures, calls, flow, channel: flow.channel, port, replace, read };
}

/** How a promise stands, after all callbacks that could run. */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  const waits = new Promise((resolve) => void setImmediate(() => resolve("waits")));
  return await Promise.race([promise.then(() => "resolved"), waits]).catch((error: unknown) => error);
}

describe("a message on its way out", () => {
  test("is copied, and has left when its promise resolves", async () => {
    const { channel, port } = scene();
    const message = bytes("one");
    port.bufferedBytes = mebibyte;
    const sending = channel.send(message);
    message.fill(0);
    expect(await stateOf(sending)).toBe("waits");
    port.bufferedBytes = 0;
    port.handlers.onLow?.();
    await sending;
    expect(port.sent).toEqual(["one"]);
  });

  test.each([
    { reliable: false, copies: true, isCopied: false },
    { reliable: false, copies: false, isCopied: true },
    { reliable: true, copies: true, isCopied: true },
  ])("is copied once: $isCopied by us, where reliable is $reliable, and copies $copies", async (given) => {
    const { reliable, copies, isCopied } = given;
    const { channel, flow } = scene({ reliable });
    const taken: Uint8Array[] = [];
    flow.attach({ ...createRecordingPort({ reliable, copies }), send: (message) => void taken.push(message) });
    const message = bytes("one");
    await channel.send(message);
    expect(taken).toEqual([message]);
    expect(taken[0] !== message).toBe(isCopied);
  });

  test("waits for its turn where it is unreliable, and keeps what it was meanwhile", async () => {
    const { channel, flow } = scene({ reliable: false });
    const port = createRecordingPort({ reliable: false, copies: true });
    port.bufferedBytes = mebibyte;
    flow.attach(port);
    const [first, second] = [bytes("first"), bytes("second")];
    const sending = [channel.send(first), channel.send(second)];
    first.fill(0);
    expect(await stateOf(Promise.race(sending))).toBe("waits");
    port.failures.push(refusal);
    port.bufferedBytes = 0;
    port.handlers.onLow?.();
    await expect(sending[0]).rejects.toBe(refusal);
    await sending[1];
    port.failures.push(refusal);
    await expect(channel.send(bytes("third"))).rejects.toBe(refusal);
    await channel.send(bytes("fourth"));
    expect(port.sent).toEqual(["second", "fourth"]);
  });

  test("waits for a channel that is not open yet", async () => {
    const { channel, replace, flow } = scene();
    const port = createRecordingPort();
    port.state = "connecting";
    flow.attach(port);
    const sending = channel.send(bytes("one"));
    expect(await stateOf(sending)).toBe("waits");
    port.state = "open";
    port.handlers.onOpen?.();
    await sending;
    expect(port.sent).toEqual(["one"]);
    expect(replace().sent).toEqual([]);
  });

  test("waits while 4 MiB are under way, until the other application has taken enough of them", async () => {
    const { channel, flow, port } = scene();
    const half = new Uint8Array(window / 2 - extra);
    await channel.send(half);
    await channel.send(half);
    const sending = channel.send(new Uint8Array());
    flow.credit(extra - 1);
    expect(await stateOf(sending)).toBe("waits");
    flow.credit(extra);
    await sending;
    expect(port.sent).toHaveLength(3);
  });

  test("may be larger than all that may be under way, alone", async () => {
    const { channel, flow } = scene();
    await channel.send(bytes("a"));
    const sending = channel.send(new Uint8Array(window + 1));
    expect(await stateOf(sending)).toBe("waits");
    flow.credit(1 + extra);
    await sending;
  });

  test.each([
    ["no bytes", "text" as unknown as Uint8Array, "invalid-argument"],
    ["more than the other side takes", new Uint8Array(101), "too-large"],
  ])("of %s is refused", async (_, message, code) => {
    const { channel } = scene({ maxMessageBytes: 100 });
    expect(channel.maxMessageBytes).toBe(100);
    await expect(channel.send(message)).rejects.toEqual(hasCode(code));
    await channel.send(new Uint8Array(100));
  });

  test.each([0, 1_000])("is refused when 16 MiB wait, also in messages of %i bytes", async (length) => {
    const { channel, flow, port } = scene();
    port.bufferedBytes = mebibyte;
    const most = Math.floor((16 * mebibyte) / (length + extra));
    const sending = Promise.allSettled(Array.from({ length: most }, () => channel.send(new Uint8Array(length))));
    const refused = await stateOf(channel.send(new Uint8Array(length)));
    expect(refused).toEqual(hasCode("resource-exhausted"));
    expect((refused as WiceError).retryable).toBe(true);
    flow.end();
    const reasons = new Set(
      (await sending).map((result) => (result.status === "rejected" ? result.reason : undefined)),
    );
    expect([...reasons]).toEqual([hasCode("closed")]);
  });

  test("that is larger than all that may wait is taken when nothing waits", async () => {
    const { channel, port } = scene({ maxMessageBytes: 64 * mebibyte });
    port.bufferedBytes = mebibyte;
    const sending = channel.send(new Uint8Array(17 * mebibyte));
    expect(await stateOf(sending)).toBe("waits");
    port.bufferedBytes = 0;
    port.handlers.onLow?.();
    await sending;
  });

  test("does not go out when its call was aborted, and holds up nothing behind it", async () => {
    const { channel, port } = scene();
    await channel.send(new Uint8Array(window - 2 * extra - 3));
    const stop = new AbortController();
    const large = channel.send(new Uint8Array(mebibyte), { signal: stop.signal });
    const small = channel.send(bytes("one"));
    expect(await stateOf(small)).toBe("waits");
    stop.abort(new Error("enough"));
    await expect(large).rejects.toThrow("enough");
    await small;
    expect(port.sent.slice(1)).toEqual(["one"]);
  });

  test("is not called back by an abort after it has left", async () => {
    const { channel, port } = scene();
    const stop = new AbortController();
    const sending = channel.send(bytes("one"), { signal: stop.signal });
    stop.abort();
    await sending;
    await expect(channel.send(bytes("two"), { signal: stop.signal })).rejects.toBe(stop.signal.reason);
    expect(port.sent).toEqual(["one"]);
  });

  test("that the agent finds too large is refused, and the next one goes", async () => {
    const { channel, port } = scene();
    port.failures.push(new WiceError("too-large", "no"));
    const sending = [channel.send(bytes("one")), channel.send(bytes("two"))];
    expect(await Promise.all(sending.map(stateOf))).toEqual([hasCode("too-large"), "resolved"]);
    expect(port.sent).toEqual(["two"]);
  });

  test("that an open channel does not take is offered again a second later, before anything new", async () => {
    const { clock, channel, port } = scene();
    port.failures.push(refusal, refusal);
    const sending = [channel.send(bytes("one")), channel.send(bytes("two"))];
    expect(await Promise.all(sending.map(stateOf))).toEqual(["waits", "waits"]);
    await clock.advance(1_000);
    expect(await Promise.all(sending.map(stateOf))).toEqual(["resolved", "resolved"]);
    expect(port.sent).toEqual(["one", "two"]);
    expect(clock.pending).toBe(0);
  });

  test("on an unreliable channel is lost with an error when the agent does not take it", async () => {
    const { channel, port } = scene({ reliable: false });
    port.failures.push(refusal);
    await expect(channel.send(bytes("one"))).rejects.toBe(refusal);
    await channel.send(bytes("two"));
    expect(port.sent).toEqual(["two"]);
  });
});

describe("after a connection took another's place", () => {
  test("nothing goes out before the other side has said what it has; then what it has not, then what is new", async () => {
    const { channel, flow, replace } = scene();
    for (const message of ["one", "two", "three"]) await channel.send(bytes(message));
    const port = replace();
    const sending = channel.send(bytes("four"));
    expect(port.sent).toEqual([]);
    flow.resume(1);
    await sending;
    expect(port.sent).toEqual(["two", "three", "four"]);
  });

  test("an unreliable channel goes on at once, whatever of it has arrived", async () => {
    const { channel, failures, flow, port, replace } = scene({ reliable: false });
    for (const message of ["one", "two"]) await channel.send(bytes(message));
    const next = replace();
    flow.resume(1);
    await channel.send(bytes("three"));
    expect([port.sent, next.sent, failures]).toEqual([["one", "two"], ["three"], []]);
  });

  test("a channel that was not used yet goes on at once", async () => {
    const { channel, replace } = scene();
    const port = replace();
    await channel.send(bytes("one"));
    expect(port.sent).toEqual(["one"]);
  });

  test("what could not be sent again is sent later, in order, before anything new", async () => {
    const { clock, channel, flow, replace } = scene();
    for (const message of ["one", "two", "three"]) await channel.send(bytes(message));
    const port = replace();
    const { send } = port;
    port.send = (message) => {
      if (port.sent.length === 1) port.failures.push(refusal);
      send(message);
    };
    flow.resume(0);
    expect(port.sent).toEqual(["one"]);
    port.send = send;
    const sending = channel.send(bytes("four"));
    await clock.advance(1_000);
    await sending;
    expect(port.sent).toEqual(["one", "two", "three", "four"]);
  });

  test("what breaks while it is sent again goes out whole on the next connection", async () => {
    const { clock, channel, flow, replace } = scene();
    for (const message of ["one", "two", "three"]) await channel.send(bytes(message));
    const broken = replace();
    broken.failures.push(refusal);
    flow.resume(1);
    broken.state = "closed";
    const port = replace();
    const sending = channel.send(bytes("four"));
    flow.resume(1);
    await sending;
    expect([broken.sent, port.sent]).toEqual([[], ["two", "three", "four"]]);
    expect(clock.pending).toBe(0);
  });

  test("what goes out again does not flood the agent, and leaves out nothing while some of it is taken", async () => {
    const { channel, flow, replace } = scene();
    const messages = ["a", "b", "c", "d"].map((letter) => letter.repeat(mebibyte - extra));
    for (const message of messages) await channel.send(bytes(message));
    const port = replace();
    const { send } = port;
    port.send = (message) => {
      send(message);
      port.bufferedBytes += message.length;
    };
    flow.resume(0);
    expect(port.sent).toHaveLength(2);
    flow.credit(mebibyte);
    port.bufferedBytes = 0;
    port.handlers.onLow?.();
    expect(port.sent.map(([first]) => first).join("")).toBe("abcd");
  });

  test.each([
    ["never sent", 3],
    ["credited before", 0],
  ])("a peer that counts messages that were %s ends the channel", async (_, messages) => {
    const { channel, flow, failures, replace } = scene();
    for (const message of ["one", "two"]) await channel.send(bytes(message));
    flow.credit(3 + extra);
    const port = replace();
    flow.resume(messages);
    expect(failures).toEqual([hasCode("protocol")]);
    expect(port.sent).toEqual([]);
    await expect(channel.send(bytes("three"))).rejects.toEqual(hasCode("protocol"));
  });

  test("a peer that takes less than before, and not what is under way, ends the channel", async () => {
    const { channel, flow, failures, replace } = scene();
    await channel.send(bytes("one"));
    replace().failures.push(new WiceError("too-large", "no"));
    flow.resume(0);
    expect(failures).toEqual([hasCode("too-large")]);
    expect(channel.maxMessageBytes).toBe(8 * mebibyte);
  });

  test("what has come on the old one is told, and what still comes is not taken twice", async () => {
    const { flow, port, replace, read } = scene();
    port.come("one");
    port.come("two");
    expect(await read()).toBe("one");
    const next = replace();
    expect(flow.progress()).toEqual({ messages: 2, consumed: 3 + extra });
    port.come("three");
    next.come("three");
    expect([await read(), await read()]).toEqual(["two", "three"]);
    expect(flow.progress().messages).toBe(3);
  });

  test("early messages come first", async () => {
    const { flow, read } = scene();
    const port = createRecordingPort();
    flow.attach(port, [bytes("one"), bytes("two")]);
    port.come("three");
    expect([await read(), await read(), await read()]).toEqual(["one", "two", "three"]);
  });

  test("a new other side hears nothing of what was under way, and all that waits", async () => {
    const { channel, flow, port } = scene();
    await channel.send(bytes("one"));
    port.bufferedBytes = mebibyte;
    const sending = channel.send(bytes("two"));
    flow.restart();
    const next = createRecordingPort();
    flow.attach(next);
    await sending;
    expect(next.sent).toEqual(["two"]);
    expect(flow.progress()).toEqual({ messages: 0, consumed: 0 });
  });

  test("a new other side gives credit from nothing on", async () => {
    const { channel, failures, flow, replace } = scene();
    await channel.send(bytes("one"));
    flow.credit(3 + extra);
    flow.restart();
    replace();
    await channel.send(bytes("two"));
    await channel.send(bytes("three"));
    flow.credit(3 + extra);
    const next = replace();
    flow.resume(1);
    expect(next.sent).toEqual(["three"]);
    // The first was credited, and is not kept.
    replace();
    flow.resume(0);
    expect(failures).toEqual([hasCode("protocol")]);
  });
});

describe("credit", () => {
  test("is exact, however it is split: what was not credited goes out again, and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat({ max: 600 }), { maxLength: 20 }),
        async (lengths, credits) => {
          const { channel, flow, failures, replace } = scene();
          const messages = lengths.map((length, n) => String.fromCharCode(65 + n).repeat(length));
          for (const message of messages) await channel.send(bytes(message));
          let taken = 0;
          const all = messages.reduce((sum, { length }) => sum + length + extra, 0);
          for (const credit of credits) {
            flow.credit(credit);
            if (credit <= all) taken = Math.max(taken, credit);
          }
          let gone = 0;
          for (const { length } of messages) {
            if (taken < length + extra) break;
            taken -= length + extra;
            gone += 1;
          }
          const port = replace();
          flow.resume(gone);
          expect(port.sent).toEqual(messages.slice(gone));
          expect(failures).toEqual([]);
          // What was credited is not kept.
          if (gone === 0) return;
          replace();
          flow.resume(gone - 1);
          expect(failures).toEqual([hasCode("protocol")]);
        },
      ),
    );
  });

  test("for more than was sent counts for nothing", async () => {
    const { channel, flow } = scene();
    const half = new Uint8Array(window / 2 - extra);
    await channel.send(half);
    await channel.send(half);
    const sending = channel.send(bytes("one"));
    flow.credit(10 * window);
    expect(await stateOf(sending)).toBe("waits");
  });

  test("is told 50 ms after something was taken, or at once when a quarter of the window was", async () => {
    const { clock, port, read, reports } = scene();
    port.come("one");
    port.come("two");
    await read();
    expect(reports).toEqual([]);
    await read();
    await clock.advance(49);
    expect(reports).toEqual([]);
    await clock.advance(1);
    expect(reports).toEqual([2 * (3 + extra)]);
    port.come(new Uint8Array(mebibyte));
    await read();
    expect(reports).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  test("is not given twice for what a former other side has sent", async () => {
    const { clock, flow, port, read, reports } = scene();
    port.come("one");
    flow.restart();
    flow.attach(createRecordingPort());
    expect(await read()).toBe("one");
    await clock.advance(50);
    expect(reports).toEqual([]);
  });

  test("is nothing that is told after the end", async () => {
    const { clock, flow, port, read, reports } = scene();
    port.come("one");
    flow.end();
    expect(await read()).toBe("one");
    expect(clock.pending).toBe(0);
    expect(reports).toEqual([]);
  });
});

describe("what has come", () => {
  test("is handed out in order, then the end", async () => {
    const { channel, flow, port } = scene();
    const heard: string[] = [];
    const listening = (async () => {
      for await (const message of channel) heard.push(text(message));
    })();
    for (const message of ["one", "two"]) port.come(message);
    await stateOf(listening);
    port.come("three");
    flow.end();
    await listening;
    expect(heard).toEqual(["one", "two", "three"]);
  });

  test("can still be read when the connection is lost; then the error comes", async () => {
    const { channel, flow, port } = scene();
    port.come("one");
    const error = new WiceError("unavailable", "lost");
    flow.end(error);
    const reader = channel[Symbol.asyncIterator]();
    expect(text((await reader.next()).value)).toBe("one");
    await expect(reader.next()).rejects.toBe(error);
    await expect(channel.send(bytes("x"))).rejects.toBe(error);
  });

  test("is at most what the peer may send: one message more ends the channel", async () => {
    const { channel, flow, failures, port, read } = scene();
    port.come(new Uint8Array(window / 2 - extra));
    port.come(new Uint8Array(window / 2 - extra));
    await read();
    // Only what it was told of is credit.
    flow.progress();
    port.come(new Uint8Array(window / 2 - extra));
    expect(failures).toEqual([]);
    port.come("");
    expect(failures).toEqual([hasCode("protocol")]);
    await read();
    await read();
    await expect(channel[Symbol.asyncIterator]().next()).rejects.toEqual(hasCode("protocol"));
  });

  test("of former other sides is kept up to 4 MiB, the latest of it", async () => {
    const { flow, failures } = scene();
    const message = (n: number) => new Uint8Array(mebibyte - extra).fill(n);
    for (let side = 0; side < 3; side += 1) {
      const port = createRecordingPort();
      flow.restart();
      flow.attach(port);
      for (let n = 0; n < 4; n += 1) port.come(message(4 * side + n));
    }
    flow.end();
    const heard: number[] = [];
    for await (const [first] of flow.channel) heard.push(first ?? -1);
    expect(heard).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(failures).toEqual([]);
  });

  test("on an unreliable channel loses the oldest above 4 MiB", async () => {
    const { flow, port, reports, clock } = scene({ reliable: false });
    for (let n = 0; n < 9; n += 1) port.come(new Uint8Array(mebibyte - extra).fill(n));
    await clock.advance(60);
    flow.end();
    const heard: number[] = [];
    for await (const [first] of flow.channel) heard.push(first ?? -1);
    expect(heard).toEqual([5, 6, 7, 8]);
    expect(reports).toEqual([]);
  });

  test("counts as taken when the application has left the iteration, and ends it", async () => {
    const { calls, channel, clock, flow, port, reports } = scene();
    for (const message of ["one", "two", "three"]) port.come(message);
    const others: Promise<unknown>[] = [];
    for await (const message of channel) {
      expect(text(message)).toBe("one");
      break;
    }
    expect(calls).toEqual(["close"]);
    const reader = channel[Symbol.asyncIterator]();
    others.push(reader.next());
    port.come("four");
    await clock.advance(50);
    expect(reports).toEqual([2 * (3 + extra) + (5 + extra) + (4 + extra)]);
    expect(await Promise.all(others)).toEqual([{ done: true, value: undefined }]);
    expect(flow.progress().messages).toBe(4);
  });

  test("ends for all who wait when one of them leaves", async () => {
    const { channel } = scene();
    const reader = channel[Symbol.asyncIterator]();
    const waiting = [reader.next(), reader.next()];
    await reader.return?.();
    expect(await Promise.all(waiting)).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
  });
});

describe("draining", () => {
  const forever = new AbortController().signal;

  test("waits until the other application has taken everything", async () => {
    const { channel, flow, port } = scene();
    await flow.drained(forever);
    port.bufferedBytes = mebibyte;
    const sending = channel.send(bytes("one"));
    const draining = flow.drained(forever);
    flow.shut();
    await expect(channel.send(bytes("two"))).rejects.toEqual(hasCode("closed"));
    port.bufferedBytes = 0;
    port.handlers.onLow?.();
    await sending;
    expect(await stateOf(draining)).toBe("waits");
    flow.credit(2 + extra);
    expect(await stateOf(draining)).toBe("waits");
    flow.credit(3 + extra);
    await draining;
  });

  test("is over when what waited was aborted", async () => {
    const { channel, flow, port } = scene();
    port.bufferedBytes = mebibyte;
    const stop = new AbortController();
    const sending = channel.send(bytes("one"), { signal: stop.signal });
    const draining = flow.drained(forever);
    expect(await stateOf(draining)).toBe("waits");
    stop.abort();
    await draining;
    await expect(sending).rejects.toBe(stop.signal.reason);
  });

  test("rejects when it is aborted, and when the channel ends before", async () => {
    const { channel, flow } = scene();
    await channel.send(bytes("one"));
    const stop = new AbortController();
    const draining = [flow.drained(stop.signal), flow.drained(forever)];
    stop.abort();
    expect(await Promise.all(draining.map(stateOf))).toEqual([stop.signal.reason, "waits"]);
    flow.end();
    await expect(draining[1]).rejects.toEqual(hasCode("closed"));
    await expect(flow.drained(forever)).rejects.toEqual(hasCode("closed"));
  });
});

describe("the Web Streams of a channel", () => {
  test("read only what is asked for, so that the rest is no credit", async () => {
    const { channel, clock, flow, port, reports } = scene();
    expect(channel.readable).toBe(channel.readable);
    const reader = channel.readable.getReader();
    for (const message of ["one", "two"]) port.come(message);
    expect(text((await reader.read()).value)).toBe("one");
    await clock.advance(50);
    expect(reports).toEqual([3 + extra]);
    expect(text((await reader.read()).value)).toBe("two");
    const last = reader.read();
    flow.end();
    expect(await last).toEqual({ done: true, value: undefined });
    await reader.closed;
  });

  test("read the error with which a channel ends", async () => {
    const { channel, flow } = scene();
    const reader = channel.readable.getReader();
    const reading = reader.read();
    flow.end(refusal);
    await expect(reading).rejects.toBe(refusal);
    await expect(reader.closed).rejects.toBe(refusal);
  });

  test("close the channel when reading is cancelled", async () => {
    const { calls, channel, port } = scene();
    port.come("one");
    await channel.readable.cancel();
    expect(calls).toEqual(["close"]);
  });

  test("write as fast as the other application reads", async () => {
    const { channel, flow } = scene();
    const writer = channel.writable.getWriter();
    await writer.write(new Uint8Array(window - extra));
    const writing = writer.write(bytes("one"));
    expect(await stateOf(writer.ready)).toBe("waits");
    flow.credit(window);
    await writing;
    expect(await stateOf(writer.ready)).toBe("resolved");
    const closing = writer.close();
    expect(await stateOf(closing)).toBe("waits");
    flow.credit(window + 3 + extra);
    await closing;
    // Only this stream is closed.
    await channel.send(bytes("two"));
  });

  test("do not pretend that everything arrived when the channel ends before", async () => {
    const { channel, flow } = scene();
    const writer = channel.writable.getWriter();
    await writer.write(bytes("one"));
    const closing = writer.close();
    expect(await stateOf(closing)).toBe("waits");
    flow.end();
    await expect(closing).rejects.toEqual(hasCode("closed"));
    await expect(writer.closed).rejects.toEqual(hasCode("closed"));
  });

  test("tell a writer that is idle when the channel ends", async () => {
    const { channel, flow } = scene();
    const writer = channel.writable.getWriter();
    flow.end(refusal);
    await expect(writer.closed).rejects.toBe(refusal);
  });

  test.each(["write", "close"] as const)("give up a %s that waits when writing is aborted", async (call) => {
    const { calls, channel, port } = scene();
    const writer = channel.writable.getWriter();
    if (call === "close") await writer.write(bytes("zero"));
    port.bufferedBytes = mebibyte;
    const waiting = call === "write" ? writer.write(bytes("one")) : writer.close();
    expect(await stateOf(waiting)).toBe("waits");
    const reason = new Error("enough");
    await writer.abort(reason).catch(() => {});
    expect(await stateOf(waiting)).toBe(reason);
    expect(calls).toEqual(call === "write" ? ["close"] : []);
    expect(port.sent).toEqual(call === "write" ? [] : ["zero"]);
  });
});

test("the end leaves no handler and no timer, and happens once", async () => {
  const { clock, channel, failures, flow, port, read } = scene();
  port.come("one");
  await read();
  port.failures.push(refusal);
  const sending = channel.send(bytes("two"));
  expect(clock.pending).toBe(2);
  flow.end(refusal);
  flow.end();
  await expect(sending).rejects.toBe(refusal);
  expect(clock.pending).toBe(0);
  expect(Object.keys(port.handlers)).toEqual(["onMessage"]);
  port.come("three");
  const late = createRecordingPort();
  flow.attach(late);
  expect(late.handlers).toEqual({});
  expect(failures).toEqual([]);
});

test("a channel that the other side closes says so to its owner", () => {
  const { calls, port } = scene();
  port.handlers.onClose?.();
  expect(calls).toEqual(["gone"]);
});
