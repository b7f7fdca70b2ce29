/** What the playground says over a session, and what people are told of it, without a page. */

import { isWiceError, type Session, type Verdict, type VerdictCode } from "@wice/core";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createCalm } from "../../playground/src/calm-verdict.ts";
import { inThisPage } from "../../playground/src/page-verdict.ts";
import { createTalk, type Talk } from "../../playground/src/session/talk.ts";
import { clearWeather } from "../../playground/src/weather.ts";

/** One end of a session; the test is the other. */
interface OtherEnd {
  readonly talk: Talk;
  /** What came over, as text. */
  readonly came: readonly string[];
  readonly shown: readonly string[];
  send(text: string): void;
  /** It has restarted. */
  move(): void;
}

function open(): OtherEnd {
  const [messages, statuses] = [createStream<Uint8Array>(), createStream<{ readonly type: string }>()];
  const [came, shown]: [string[], string[]] = [[], []];
  const session = {
    send: async (bytes: Uint8Array) => void came.push(new TextDecoder().decode(bytes)),
    [Symbol.asyncIterator]: () => messages.readable[Symbol.asyncIterator](),
    status: () => statuses.readable,
    closed: new Promise(() => {}),
  };
  return {
    talk: createTalk(session as unknown as Session, (text) => void shown.push(text)),
    came,
    shown,
    send: (text) => messages.push(new TextEncoder().encode(text)),
    move: () => statuses.push({ type: "moved" }),
  };
}

function createStream<T>(): { readonly readable: ReadableStream<T>; push(value: T): void } {
  let push = (_: T): void => {};
  const readable = new ReadableStream<T>({
    start(controller) {
      push = (value) => controller.enqueue(value);
    },
  });
  return { readable, push: (value) => push(value) };
}

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
});

test("a program that is no page is asked once, and gets and sends texts as they stand", async () => {
  const { talk, came, shown, send } = open();
  const said = talk.say("hello");
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await said).toBe("sent");
  expect(came).toEqual([expect.stringContaining("ping"), "hello"]);
  for (const text of ["hello back", "17", '{"type":"text"}', '{"type":"cry","id":1}']) send(text);
  await vi.advanceTimersByTimeAsync(0);
  expect(shown).toEqual(["hello back", "17", '{"type":"text"}', '{"type":"cry","id":1}']);
  for (let i = 0; i < 10; i++) expect(await talk.ping()).toBeUndefined();
  expect(came).toHaveLength(2);
});

test("a page has receipts; one that is asked and does not answer is not waited for", async () => {
  const { talk, came, shown, send } = open();
  send('{"type":"pong","id":1}');
  const said = talk.say("hello");
  await vi.advanceTimersByTimeAsync(10);
  const { type, id, text } = JSON.parse(came.at(-1) ?? "");
  expect([type, text]).toEqual(["text", "hello"]);
  send(JSON.stringify({ type: "got", id }));
  expect(await said).toBe("got");
  send('{"type":"text","id":7,"text":"hello back"}');
  await vi.advanceTimersByTimeAsync(0);
  expect(shown).toEqual(["hello back"]);
  expect(came.at(-1)).toBe('{"type":"got","id":7}');
  const asked = talk.ping();
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await asked).toBeUndefined();
});

test("who has restarted will not say that it has what was under way", async () => {
  const { talk, send, move } = open();
  send('{"type":"pong","id":1}');
  const failure = talk.say("hello").catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(10);
  move();
  expect(isWiceError(await failure, "delivery-unknown")).toBe(true);
});

test("a trouble that passes is not told, and one that lasts is, until it is over", () => {
  let nowMs = 0;
  const calm = createCalm(() => nowMs);
  const of = (code: VerdictCode): Verdict => ({ code, text: "so it is", next: "do that" });
  const toldAt = (ms: number, code: VerdictCode): string => {
    nowMs = ms;
    return calm(of(code)).code;
  };
  expect(toldAt(0, "connecting")).toBe("connecting");
  expect(toldAt(20, "not-heard")).toBe("connecting");
  expect(toldAt(60, "connecting")).toBe("connecting");
  expect(toldAt(500, "not-heard")).toBe("connecting");
  expect(toldAt(1_100, "nobody-subscribed")).toBe("connecting");
  expect(toldAt(1_600, "nobody-subscribed")).toBe("nobody-subscribed");
  expect(toldAt(1_700, "connected")).toBe("connected");
  // Who had a connection is told at once.
  expect(toldAt(1_800, "reconnecting")).toBe("reconnecting");
});

const notHeard: Verdict = { code: "not-heard", text: "nobody answers", next: "look there" };
const cutOff: Verdict = { code: "relay-unreachable", text: "the relay is away", next: "start it" };
const rain = { ...clearWeather, loss: 0.9 };
test.each([
  ["what the page has cut off", cutOff, { weather: { ...clearWeather, cut: true }, isGuest: false }, /let it back in/],
  ["a relay that is away", cutOff, { weather: rain, isGuest: true }, /start it/],
  ["silence in the rain", notHeard, { weather: rain, isGuest: true }, /clear up/],
  ["silence after a link", notHeard, { weather: clearWeather, isGuest: true }, /first who opens its link/],
  ["silence", notHeard, { weather: clearWeather, isGuest: false }, /look there/],
])("the page says of %s what it knows itself", (_, verdict, knowledge, next) => {
  const told = inThisPage(verdict, knowledge);
  expect(told.code).toBe(verdict.code);
  expect(told.next).toMatch(next);
});
