import type { AgentChannel } from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { encodeControl } from "../../src/session/control.ts";
import { connectAgent, type LiveConnection, type LiveConnectionEvents } from "../../src/session/live-connection.ts";
import { createFakeNetwork, type FakeConnection } from "./support/fake-agent.ts";
import { bytes, text } from "./support/recording-port.ts";

async function scene() {
  const clock = createVirtualClock();
  const network = createFakeNetwork(clock);
  const calls: string[] = [];
  const make = (role: "controlling" | "controlled", other: () => LiveConnection | undefined): LiveConnection => {
    const events: LiveConnectionEvents = {
      onCandidate: (candidate) => other()?.connection.addCandidates([candidate]),
      onCandidatesComplete() {},
      onState: (state) => calls.push(`${role} ${state}`),
      onNegotiationNeeded() {},
      onServerError() {},
      onChannel: ({ label }) => calls.push(`${role} has ${label}`),
      onEnvelope: (envelope) => calls.push(`${role} hears ${text(envelope)}`),
      onConsumed: (channel, count) => calls.push(`${role} credit ${channel} ${count}`),
      onResume: (count) => calls.push(`${role} resume ${count}`),
    };
    return connectAgent(network.agent(), { role }, events, clock);
  };
  const one: LiveConnection = make("controlling", () => two);
  const two: LiveConnection = make("controlled", () => one);
  const agree = async () => {
    await one.connection.accept(await two.connection.answer(await one.connection.offer({ restart: false })));
  };
  await clock.runUntil(agree());
  await clock.advance(20);
  expect(calls.splice(0).toSorted()).toEqual(["controlled connected", "controlling connected"]);
  return { clock, network, calls, one, two };
}

const native = ({ connection }: LiveConnection) => connection.native as FakeConnection;
const control = ({ connection }: LiveConnection): AgentChannel => connection.control;

describe("a connection that nobody has taken yet", () => {
  test("keeps what comes, and only the latest word of what has arrived and was taken", async () => {
    const { clock, calls, one, two } = await scene();
    one.connection.main.send(bytes("one"));
    one.resume({ messages: 1, consumed: 10 });
    one.resume({ messages: 2, consumed: 20 });
    one.connection.openChannel("chat", {});
    await clock.advance(10);
    const { messages, channels, resume, consumed } = two.takeEarly();
    expect(messages.map(text)).toEqual(["one"]);
    expect(channels.map(({ label }) => label)).toEqual(["chat"]);
    expect([resume, consumed, calls]).toEqual([2, 20, []]);
    // From now on, all is told.
    one.resume({ messages: 3, consumed: 30 });
    one.consumed(4, 40);
    one.connection.openChannel("more", {});
    await clock.advance(10);
    expect(calls.toSorted()).toEqual([
      "controlled credit 1 30",
      "controlled credit 4 40",
      "controlled has more",
      "controlled resume 3",
    ]);
  });

  test.each([
    [448, 8_192],
    [65_472, 64],
  ])("keeps messages of %i bytes up to 4 MiB and one above, which tells", async (length, most) => {
    const { clock, one, two } = await scene();
    for (let n = 0; n < 2 * most; n += 1) one.connection.main.send(new Uint8Array(length));
    await clock.advance(10);
    expect(two.takeEarly().messages).toHaveLength(most + 1);
  });

  test("closes channels that come when 64 wait", async () => {
    const { clock, one, two } = await scene();
    const ours = Array.from({ length: 65 }, (_, n) => one.connection.openChannel(`c${n}`, {}));
    await clock.advance(20);
    expect(two.takeEarly().channels).toHaveLength(64);
    expect(ours.map(({ state }) => state).indexOf("closed")).toBe(64);
  });
});

describe("in-band", () => {
  test("messages arrive, and are refused while the path does not answer", async () => {
    const { clock, calls, one } = await scene();
    expect(one.send(bytes("hello"))).toBe(true);
    await clock.advance(10);
    expect(calls).toEqual(["controlled hears hello"]);
    native(one).disconnect();
    expect(one.send(bytes("hello"))).toBe(false);
  });

  test("what cannot be sent is told, not thrown", async () => {
    const { one } = await scene();
    expect(one.send(new Uint8Array(65_537))).toBe(false);
    one.connection.close();
    expect(one.send(bytes("hello"))).toBe(false);
    one.consumed(1, 1);
    one.resume({ messages: 1, consumed: 1 });
  });

  test("garbage says nothing", async () => {
    const { clock, calls, one } = await scene();
    for (const garbage of [[0xff], [8], [], [10, 200, 1]]) control(one).send(Uint8Array.from(garbage));
    await clock.advance(10);
    expect(calls).toEqual([]);
  });
});

describe("a ping", () => {
  test("is answered by a path that answers", async () => {
    const { clock, one } = await scene();
    const answers = Promise.all([one.ping(2_500), one.ping(2_500)]);
    await clock.advance(10);
    expect(await answers).toEqual([true, true]);
  });

  test("comes to nothing after its time, when the connection is closed, and when it is no more", async () => {
    const { clock, network, one } = await scene();
    network.setUp(false);
    const startMs = clock.now();
    expect(await clock.runUntil(one.ping(2_500))).toBe(false);
    expect(clock.now() - startMs).toBe(2_500);
    const last = one.ping(2_500);
    void one.closeSoon();
    expect(await last).toBe(false);
    await clock.advance(150);
    expect(await one.ping(2_500)).toBe(false);
  });

  test.each([
    [false, true],
    [true, false],
  ])("is said again where a channel may lose it (reliable: %s), and only there", async (reliable, answered) => {
    const { clock, one } = await scene();
    const { send } = control(one);
    let sent = 0;
    Object.defineProperty(control(one), "reliable", { value: reliable });
    control(one).send = (message) => {
      sent += 1;
      if (sent > 2) send(message);
    };
    await clock.advance(60_000);
    expect(await clock.runUntil(one.ping(2_500))).toBe(answered);
    expect(clock.pending).toBe(0);
    expect(sent).toBe(reliable ? 1 : 3);
  });

  test("of a peer that does not take the answers is not answered for ever", async () => {
    const { clock, one, two } = await scene();
    let sent = 0;
    const { send } = control(two);
    control(two).send = (message) => {
      sent += 1;
      send(message);
    };
    Object.defineProperty(control(two), "bufferedBytes", { get: () => 70_000 });
    control(one).send(encodeControl({ ping: 1n }));
    await clock.advance(10);
    expect(sent).toBe(0);
  });
});

describe("closing soon", () => {
  test("lets the last words leave, hears nothing more, and leaves nothing", async () => {
    const { clock, network, calls, one, two } = await scene();
    one.send(bytes("bye"));
    const closing = one.closeSoon();
    expect(one.closeSoon()).toBe(closing);
    two.send(bytes("wait"));
    await clock.advance(149);
    expect(native(one).closed).toBe(false);
    await clock.advance(1);
    await closing;
    expect(native(one).closed).toBe(true);
    expect(control(one).handlers).toEqual({});
    await clock.advance(10);
    expect(calls).toEqual(["controlled hears bye", "controlled closed"]);
    await two.closeSoon();
    await clock.advance(60_000);
    expect([network.open, clock.pending]).toEqual([0, 0]);
  });
});
