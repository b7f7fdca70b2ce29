import { WiceError } from "@wice/core";
import { createVirtualClock, type VirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { createKeyStream, type KeyStream } from "../src/connect/key-stream.ts";
import { envelopeFor, newKey } from "./support/envelopes.ts";
import { createFakeStreams, type FakeStreams, recordingTaker } from "./support/fake-streams.ts";

const [a, b, c] = [newKey(), newKey(), newKey()];
const refused = new WiceError("unauthenticated", "no");
const passing = new WiceError("unavailable", "down", { retryable: true, retryAfterMs: 77 });

interface Scene {
  readonly clock: VirtualClock;
  readonly streams: FakeStreams;
  readonly keys: KeyStream;
}

function createScene(): Scene {
  const clock = createVirtualClock();
  const streams = createFakeStreams();
  return { clock, streams, keys: createKeyStream(streams.open, clock) };
}

/** With takers of these keys that are live. */
async function liveScene(...of: (typeof a)[]) {
  const scene = createScene();
  const takers = of.map((key) => {
    const taker = recordingTaker();
    return { taker, leave: scene.keys.join(key, taker) };
  });
  await scene.clock.advance(0);
  scene.streams.last.live();
  await scene.clock.advance(0);
  return { ...scene, takers, first: scene.streams.last };
}

describe("takers", () => {
  test("that come together get one stream with their keys, each once, and are told when it is live", async () => {
    const { clock, streams, keys } = createScene();
    const takers = [a, b, a].map((key) => {
      const taker = recordingTaker();
      keys.join(key, taker);
      return taker;
    });
    expect(streams.all).toHaveLength(0);
    await clock.advance(0);
    expect(streams.all.map((each) => each.keys)).toEqual([[`${a}`, `${b}`]]);
    expect(takers.map(({ live }) => live)).toEqual([false, false, false]);
    streams.last.live();
    expect(takers.map(({ told }) => told)).toEqual([["live"], ["live"], ["live"]]);
  });

  test("get the envelopes of their key, and no others", async () => {
    const { takers, first } = await liveScene(a, b, a);
    const [forA, forB, forC] = [envelopeFor(a), envelopeFor(b), envelopeFor(c)];
    for (const each of [forA, forB, forC]) first.envelope(each);
    expect(takers.map(({ taker }) => taker.envelopes)).toEqual([[forA], [forB], [forA]]);
  });

  test("of a key that the stream has already are live without another, and not before join returns", async () => {
    const { clock, streams, keys, first } = await liveScene(a);
    const taker = recordingTaker();
    keys.join(a, taker);
    first.envelope(envelopeFor(a));
    expect(taker.told).toEqual([]);
    await clock.advance(0);
    const envelope = envelopeFor(a);
    first.envelope(envelope);
    expect(taker.told).toEqual(["live", envelope]);
    expect(streams.all).toHaveLength(1);
  });

  test("are told in silence nothing once they have left", async () => {
    const { clock, takers, first } = await liveScene(a, a);
    takers[0]?.leave();
    takers[0]?.leave();
    first.envelope(envelopeFor(a));
    first.end(passing);
    await clock.advance(0);
    expect(takers[0]?.taker.told).toEqual(["live"]);
    expect(takers[1]?.taker.told).toHaveLength(3);
  });
});

describe("another key", () => {
  test("opens the next stream before the old one ends", async () => {
    const { clock, streams, keys, takers, first } = await liveScene(a);
    const second = recordingTaker();
    keys.join(b, second);
    await clock.advance(0);
    expect(streams.last.keys).toEqual([`${a}`, `${b}`]);
    expect([first.over, second.live]).toEqual([false, false]);
    // Both bring what is published from now on; the old one what was published before, too.
    const [before, during, after] = [envelopeFor(a), envelopeFor(a), envelopeFor(a)];
    first.envelope(before);
    streams.last.live();
    expect([first.over, second.live]).toEqual([false, true]);
    first.envelope(during);
    streams.last.envelope(during);
    streams.last.envelope(after);
    first.envelope(after);
    expect(takers[0]?.taker.envelopes).toEqual([before, during, after]);
  });

  test("that comes while a stream is being opened waits for it, and is in the one after", async () => {
    const { clock, streams, keys } = createScene();
    const [first, second] = [recordingTaker(), recordingTaker()];
    keys.join(a, first);
    await clock.advance(0);
    keys.join(b, second);
    await clock.advance(5_000);
    expect(streams.all).toHaveLength(1);
    streams.last.live();
    await clock.advance(0);
    expect(streams.last.keys).toEqual([`${a}`, `${b}`]);
    expect([first.live, second.live]).toEqual([true, false]);
    streams.last.live();
    expect(second.live).toBe(true);
  });

  test("takes a key that left a moment ago along with it, or tells nobody that it has it", async () => {
    const { clock, streams, keys, takers } = await liveScene(a, b);
    takers[1]?.leave();
    keys.join(c, recordingTaker());
    await clock.advance(0);
    expect(streams.last.keys).toEqual([`${a}`, `${c}`]);
    // The old stream has it still, but will not for long.
    const again = recordingTaker();
    keys.join(b, again);
    await clock.advance(100);
    expect(again.live).toBe(false);
    streams.last.live();
    await clock.advance(0);
    expect([streams.last.keys, again.live]).toEqual([[`${a}`, `${c}`, `${b}`], false]);
    streams.last.live();
    expect(again.live).toBe(true);
  });

  test("that cannot be had leaves a key that came back with the stream that has it", async () => {
    const { clock, streams, keys, takers, first } = await liveScene(a, b);
    takers[1]?.leave();
    const [wanted, again] = [recordingTaker(), recordingTaker()];
    keys.join(c, wanted);
    await clock.advance(0);
    keys.join(b, again);
    await clock.advance(100);
    streams.last.end(refused);
    await clock.advance(100);
    expect([wanted.end, again.told]).toEqual([refused, ["live"]]);
    const envelope = envelopeFor(b);
    first.envelope(envelope);
    expect(again.envelopes).toEqual([envelope]);
    expect([streams.all.length, streams.running]).toEqual([2, [first]]);
  });
});

describe("a stream that was replaced", () => {
  /** The first stream is replaced by one with another key. */
  async function replacedScene() {
    const scene = await liveScene(a);
    scene.keys.join(b, recordingTaker());
    await scene.clock.advance(0);
    scene.streams.last.live();
    return { ...scene, second: scene.streams.last };
  }

  test("ends once it has brought nothing new for a second", async () => {
    const { clock, takers, first } = await replacedScene();
    await clock.advance(900);
    const late = envelopeFor(a);
    first.envelope(late);
    await clock.advance(900);
    expect([first.closed, takers[0]?.taker.envelopes]).toEqual([false, [late]]);
    await clock.advance(100);
    expect(first.closed).toBe(true);
  });

  test("is not kept by heartbeats, nor by what the new one brought already", async () => {
    const { clock, takers, first, second } = await replacedScene();
    for (let i = 0; i < 10; i++) {
      const envelope = envelopeFor(a);
      second.envelope(envelope);
      first.envelope(envelope);
      first.heartbeat();
      await clock.advance(100);
    }
    expect(takers[0]?.taker.envelopes).toHaveLength(10);
    expect(first.closed).toBe(true);
  });

  test("goes on though an envelope that it brings was published twice, before and after", async () => {
    const { takers, first, second } = await replacedScene();
    const [repeated, between] = [envelopeFor(a), envelopeFor(a)];
    second.envelope(repeated);
    first.envelope(repeated);
    first.envelope(between);
    expect(takers[0]?.taker.envelopes).toEqual([repeated, between]);
  });

  test("ends in any case after ten seconds", async () => {
    const { clock, first } = await replacedScene();
    for (let i = 0; i < 19; i++) {
      first.envelope(envelopeFor(a));
      await clock.advance(500);
    }
    expect(first.closed).toBe(false);
    await clock.advance(500);
    expect(first.closed).toBe(true);
  });

  test("may be ended by the relay, which nobody notices", async () => {
    const { clock, takers, streams, first, second } = await replacedScene();
    first.end(passing);
    await clock.advance(60_000);
    expect(takers[0]?.taker.told).toEqual(["live"]);
    expect(streams.running).toEqual([second]);
  });

  test("gives way to two that were replaced after it: a browser has few connections", async () => {
    const { clock, streams, keys } = await liveScene(a);
    for (let i = 0; i < 10; i++) {
      keys.join(newKey(), recordingTaker());
      await clock.advance(0);
      streams.last.live();
      expect(streams.running.length).toBeLessThanOrEqual(3);
    }
  });

  test("cannot be made to hide an envelope by an altered copy", async () => {
    const { takers, first, second } = await replacedScene();
    const envelope = envelopeFor(a, 100);
    const altered = { ...envelope, body: envelope.body.map((byte, index) => (index === 99 ? byte ^ 1 : byte)) };
    second.envelope(altered);
    first.envelope(envelope);
    expect(takers[0]?.taker.envelopes).toEqual([altered, envelope]);
  });
});

describe("a key that nobody takes any more", () => {
  test("stays for a second, in case that it comes back", async () => {
    const { clock, streams, keys, takers, first } = await liveScene(a, b);
    takers[1]?.leave();
    await clock.advance(999);
    const again = recordingTaker();
    keys.join(b, again);
    await clock.advance(60_000);
    expect(again.live).toBe(true);
    expect(streams.all).toEqual([first]);
  });

  test("goes with others that left in the same second", async () => {
    const { clock, streams, takers, first } = await liveScene(a, b, c);
    takers[1]?.leave();
    await clock.advance(500);
    takers[2]?.leave();
    await clock.advance(500);
    expect(streams.last.keys).toEqual([`${a}`]);
    streams.last.live();
    await clock.advance(60_000);
    expect(streams.all).toHaveLength(2);
    expect(first.closed).toBe(true);
  });

  test("stays where it is while the relay lets no smaller stream be opened", async () => {
    const { clock, streams, takers, first } = await liveScene(a, b);
    takers[1]?.leave();
    await clock.advance(1_000);
    for (let tries = 2; tries < 6; tries++) {
      expect(streams.all).toHaveLength(tries);
      streams.last.end(refused);
      await clock.advance(29_999);
      expect(streams.all).toHaveLength(tries);
      await clock.advance(1);
    }
    expect([first.over, takers[0]?.taker.told]).toEqual([false, ["live"]]);
  });

  test("that was the last ends the stream at once", async () => {
    const { clock, streams, takers } = await liveScene(a, a);
    takers[0]?.leave();
    await clock.advance(0);
    expect(streams.running).toHaveLength(1);
    takers[1]?.leave();
    await clock.advance(0);
    expect(streams.running).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("that left while a stream was opened is not what another stream is opened for at once", async () => {
    const { clock, streams, keys } = createScene();
    keys.join(a, recordingTaker());
    const leave = keys.join(b, recordingTaker());
    await clock.advance(0);
    leave();
    streams.last.live();
    await clock.advance(900);
    expect(streams.all).toHaveLength(1);
    await clock.advance(100);
    expect(streams.last.keys).toEqual([`${a}`]);
  });
});

describe("renewing", () => {
  test("opens one stream, however often it is asked for at once, and loses nothing", async () => {
    const { clock, streams, keys, takers, first } = await liveScene(a);
    for (let i = 0; i < 5; i++) keys.renew();
    await clock.advance(0);
    expect(streams.all).toHaveLength(2);
    const envelope = envelopeFor(a);
    first.envelope(envelope);
    streams.last.live();
    streams.last.envelope(envelope);
    await clock.advance(60_000);
    expect(takers[0]?.taker.told).toEqual(["live", envelope]);
    expect([streams.all.length, first.closed]).toEqual([2, true]);
  });

  test("is what a stream asks for after the page slept; one that was replaced does not", async () => {
    const { clock, streams, first } = await liveScene(a);
    first.suspect();
    await clock.advance(0);
    expect(streams.all).toHaveLength(2);
    streams.last.live();
    first.suspect();
    await clock.advance(0);
    expect(streams.all).toHaveLength(2);
  });

  test("gives up what is being opened: it may be on its way through a network that is no more", async () => {
    const { clock, streams, keys } = createScene();
    const taker = recordingTaker();
    keys.join(a, taker);
    await clock.advance(0);
    const stuck = streams.last;
    keys.renew();
    await clock.advance(0);
    expect([stuck.closed, streams.all.length]).toEqual([true, 2]);
    streams.last.live();
    expect(taker.live).toBe(true);
  });

  test("that fails while the old stream is silent ends it, and its takers", async () => {
    const { clock, streams, keys, takers, first } = await liveScene(a);
    await clock.advance(1_000);
    keys.renew();
    await clock.advance(1_000);
    streams.last.end(passing);
    expect(first.closed).toBe(true);
    expect(takers[0]?.taker.end).toBe(passing);
    await clock.advance(60_000);
    expect([streams.all.length, clock.pending]).toEqual([2, 0]);
  });

  test("that fails while the old stream was heard changes nothing", async () => {
    const { clock, streams, keys, takers, first } = await liveScene(a);
    await clock.advance(1_000);
    keys.renew();
    await clock.advance(500);
    first.heartbeat();
    await clock.advance(500);
    streams.last.end(passing);
    await clock.advance(60_000);
    expect([first.over, streams.all.length, takers[0]?.taker.told]).toEqual([false, 2, ["live"]]);
  });

  test("does nothing where there is nothing", async () => {
    const { clock, streams, keys } = createScene();
    keys.renew();
    await clock.advance(0);
    expect([streams.all.length, clock.pending]).toEqual([0, 0]);
  });
});

describe("a stream that cannot be opened", () => {
  test("ends the takers that wait for it, and none that is served", async () => {
    const { clock, streams, keys, takers, first } = await liveScene(a);
    const [waiting, served] = [recordingTaker(), recordingTaker()];
    keys.join(b, waiting);
    await clock.advance(0);
    keys.join(a, served);
    streams.last.end(refused);
    await clock.advance(60_000);
    expect(waiting.told).toEqual([refused]);
    expect([takers[0]?.taker.told, served.told]).toEqual([["live"], ["live"]]);
    expect(streams.running).toEqual([first]);
  });

  test("is not tried again by itself", async () => {
    const { clock, streams, keys } = createScene();
    keys.join(a, recordingTaker());
    await clock.advance(0);
    streams.last.end(passing);
    await clock.advance(3_600_000);
    expect([streams.all.length, clock.pending]).toEqual([1, 0]);
  });

  test("is no reason not to try for a taker that came meanwhile, once", async () => {
    const { clock, streams, keys } = createScene();
    const [first, second] = [recordingTaker(), recordingTaker()];
    keys.join(a, first);
    await clock.advance(0);
    keys.join(b, second);
    streams.last.end(passing);
    await clock.advance(0);
    expect([first.end, streams.last.keys]).toEqual([passing, [`${b}`]]);
    streams.last.end(passing);
    await clock.advance(3_600_000);
    expect([second.end, streams.all.length]).toEqual([passing, 2]);
  });
});

describe("a live stream that ends", () => {
  test("ends its takers so that they try again, whatever the relay says", async () => {
    const { clock, streams, takers, first } = await liveScene(a, b);
    first.end(refused);
    for (const { taker } of takers)
      expect(taker.end).toMatchObject({ code: "unavailable", retryable: true, cause: refused });
    await clock.advance(60_000);
    expect([streams.all.length, clock.pending]).toEqual([1, 0]);
  });

  test("keeps how long to wait", async () => {
    const { takers, first } = await liveScene(a);
    first.end(passing);
    expect(takers[0]?.taker.end).toBe(passing);
  });

  test("while the next is being opened leaves those who wait for that", async () => {
    const { clock, streams, keys, takers, first } = await liveScene(a);
    const waiting = recordingTaker();
    keys.join(b, waiting);
    await clock.advance(0);
    first.end(passing);
    expect([takers[0]?.taker.end, waiting.told]).toEqual([passing, []]);
    streams.last.live();
    expect(waiting.told).toEqual(["live"]);
    await clock.advance(1_000);
    expect(streams.last.keys).toEqual([`${b}`]);
  });

  test("opens another for takers that had not been told of it yet", async () => {
    const { clock, streams, keys, first } = await liveScene(a);
    const late = recordingTaker();
    keys.join(a, late);
    first.end(passing);
    await clock.advance(0);
    expect([late.told, streams.all.length]).toEqual([[], 2]);
    streams.last.live();
    expect(late.told).toEqual(["live"]);
  });
});

describe("a taker may, while it is told something,", () => {
  test("leave when it is live", async () => {
    const { clock, streams, keys } = createScene();
    const taker = recordingTaker({ onLive: () => leave() });
    const leave = keys.join(a, taker);
    await clock.advance(0);
    streams.last.live();
    streams.last.envelope(envelopeFor(a));
    await clock.advance(0);
    expect([taker.told, streams.running, clock.pending]).toEqual([["live"], [], 0]);
  });

  test("leave when it gets an envelope, and take another with it", async () => {
    const { keys, clock, takers, first } = await liveScene(a);
    const leaves: (() => void)[] = [];
    const fatal = recordingTaker({
      onEnvelope() {
        for (const leave of leaves) leave();
      },
    });
    const victim = recordingTaker();
    leaves.push(keys.join(a, fatal), keys.join(a, victim));
    await clock.advance(0);
    first.envelope(envelopeFor(a));
    first.envelope(envelopeFor(a));
    expect([takers[0]?.taker, fatal, victim].map((each) => each?.envelopes.length)).toEqual([2, 1, 0]);
  });

  test("end another that was about to be told of the same end", async () => {
    const { clock, streams, keys } = createScene();
    const leaves: (() => void)[] = [];
    const first = recordingTaker({ onEnd: () => leaves[1]?.() });
    const second = recordingTaker();
    leaves.push(keys.join(a, first), keys.join(a, second));
    await clock.advance(0);
    streams.last.end(refused);
    expect([first.told, second.told]).toEqual([[refused], []]);
  });

  test("come again at its end, and get a stream", async () => {
    const { clock, streams, keys } = createScene();
    const again = recordingTaker();
    keys.join(a, recordingTaker({ onEnd: () => void keys.join(a, again) }));
    await clock.advance(0);
    streams.last.end(passing);
    await clock.advance(0);
    expect(streams.all).toHaveLength(2);
    streams.last.live();
    expect(again.told).toEqual(["live"]);
  });

  test.each(["onLive", "onEnvelope", "onEnd"] as const)(
    "close everything in %s, in silence for the others",
    async (when) => {
      const { clock, streams, keys } = createScene();
      const closer = recordingTaker({ [when]: () => keys.close() });
      const others = [recordingTaker(), recordingTaker(), recordingTaker()];
      keys.join(a, closer);
      for (const [index, key] of [a, b, a].entries()) keys.join(key, others[index] as (typeof others)[0]);
      await clock.advance(0);
      streams.last.live();
      streams.last.envelope(envelopeFor(a));
      streams.last.end(passing);
      await clock.advance(60_000);
      const told = { onLive: 0, onEnvelope: 1, onEnd: 2 }[when];
      expect(others.map((each) => each.told.length)).toEqual([told, Math.min(told, 1), told]);
      expect([streams.running, clock.pending]).toEqual([[], 0]);
    },
  );
});

describe("closing", () => {
  const states: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
    "before anything happened": async () => {},
    "before a stream is opened": async ({ keys }) => void keys.join(a, recordingTaker()),
    "while one is opened": async ({ keys, clock }) => {
      keys.join(a, recordingTaker());
      await clock.advance(0);
    },
    "while one is live": async ({ keys, clock, streams }) => {
      keys.join(a, recordingTaker());
      await clock.advance(0);
      streams.last.live();
    },
    "with a taker that was not told yet": async ({ keys, clock, streams }) => {
      keys.join(a, recordingTaker());
      await clock.advance(0);
      streams.last.live();
      keys.join(a, recordingTaker());
    },
    "while one is replaced, and one drains": async ({ keys, clock, streams }) => {
      for (const key of [a, b, c]) {
        keys.join(key, recordingTaker());
        await clock.advance(0);
        if (key !== c) streams.last.live();
      }
    },
    "while a key is about to go": async ({ keys, clock, streams }) => {
      keys.join(a, recordingTaker());
      const leave = keys.join(b, recordingTaker());
      await clock.advance(0);
      streams.last.live();
      leave();
    },
    "while it is renewed": async ({ keys, clock, streams }) => {
      keys.join(a, recordingTaker());
      await clock.advance(0);
      streams.last.live();
      keys.renew();
    },
  };
  test.each(Object.keys(states))("%s leaves no stream and no timer, and is silent", async (name) => {
    const scene = createScene();
    const { clock, keys, streams } = scene;
    await states[name]?.(scene);
    const bystander = recordingTaker();
    keys.join(a, bystander);
    keys.close();
    expect([streams.running, clock.pending]).toEqual([[], 0]);
    keys.close();
    keys.renew();
    keys.join(a, bystander)();
    await clock.advance(60_000);
    expect([streams.running, clock.pending, bystander.told]).toEqual([[], 0, []]);
  });
});
