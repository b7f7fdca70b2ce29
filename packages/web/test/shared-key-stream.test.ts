import { WiceError } from "@wice/core";
import { createSeededRandom } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { canShare } from "../src/connect/shared-key-stream.ts";
import { countChannels, removeChannels } from "./support/channels.ts";
import { envelopeFor, newKey } from "./support/envelopes.ts";
import { stubProperty } from "./support/globals.ts";
import { createTabs, type Tab, type Tabs } from "./support/tabs.ts";
import { until } from "./support/until.ts";

const [a, b, c] = [newKey(), newKey(), newKey()];
const refused = new WiceError("resource-exhausted", "too many", { retryable: true, retryAfterMs: 1234 });

/** A leader and another tab, each with a taker that is live. */
async function ledScene() {
  const tabs = createTabs();
  const first = tabs.open();
  const ours = first.join(a);
  await until("the first is live", () => ours.live);
  const second = tabs.open();
  const theirs = second.join(b);
  await until("the second is live", () => theirs.live);
  return { tabs, first, second, ours, theirs };
}

/** Lets the other side's messages come, and what follows from them. */
async function settle({ clock }: Tabs): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await clock.advance(0);
  }
}

describe("tabs that share a stream", () => {
  test("have one, in the tab that came first", async () => {
    const { tabs, first, second } = await ledScene();
    expect(tabs.leader()).toBe(first);
    expect(first.stream?.keys).toEqual([`${a}`, `${b}`]);
    expect(second.streams).toEqual([]);
  });

  test("get the envelopes of their own tickets, and no others", async () => {
    const { tabs, first, second, ours, theirs } = await ledScene();
    const also = second.join(a);
    await until("it is live", () => also.live);
    const [forA, forB] = [envelopeFor(a, 1000), envelopeFor(b, 60_000)];
    first.stream?.envelope(forA);
    first.stream?.envelope(forB);
    await until("both came", () => theirs.envelopes.length + also.envelopes.length === 2);
    await settle(tabs);
    expect([ours.envelopes, also.envelopes, theirs.envelopes]).toEqual([[forA], [forA], [forB]]);
  });

  test("are live only when the leader's stream has their key", async () => {
    const tabs = createTabs();
    const first = tabs.open({ answers: false });
    first.join(a);
    await tabs.untilLed();
    const theirs = tabs.open().join(b);
    await until("the leader has its key", () => first.stream?.keys.includes(`${b}`) === true);
    first.stream?.envelope(envelopeFor(b));
    await settle(tabs);
    expect(theirs.told).toEqual([]);
    first.stream?.answer();
    await until("it is live", () => theirs.live);
  });

  test("hear of refusals with everything that an error says", async () => {
    const { first, theirs } = await ledScene();
    first.stream?.end(b, refused);
    await until("it ends", () => theirs.end !== undefined);
    expect(theirs.end).toBeInstanceOf(WiceError);
    const { code, message, retryable, retryAfterMs } = refused;
    expect(theirs.end).toMatchObject({ code, message, retryable, retryAfterMs });
    expect(theirs.told).toHaveLength(2);
  });

  test("leave the leader's stream with each key that they leave", async () => {
    const { first, second, theirs } = await ledScene();
    const other = second.join(c);
    await until("it is live", () => other.live);
    theirs.leave();
    theirs.leave();
    await until("the key is gone", () => first.stream?.keys.join() === [a, c].join());
  });

  test("keep a leader that has nothing subscribed itself", async () => {
    const { tabs, first, ours, theirs } = await ledScene();
    ours.leave();
    await tabs.clock.advance(3_600_000);
    await settle(tabs);
    const envelope = envelopeFor(b);
    first.stream?.envelope(envelope);
    await until("it came", () => theirs.envelopes.length === 1);
    expect(tabs.leader()).toBe(first);
  });

  test("pass a wake-up on to the leader's stream only from its own tab", async () => {
    const { tabs, first, second } = await ledScene();
    second.keys.renew();
    await settle(tabs);
    expect(first.stream?.renewed).toBe(0);
    first.keys.renew();
    expect(first.stream?.renewed).toBe(1);
  });

  test("do not mind garbage on their channel", async () => {
    const { tabs, first, theirs } = await ledScene();
    const stranger = tabs.stranger();
    for (const word of [null, undefined, 1, "join", [], {}, { type: "live" }]) stranger.post(word);
    await settle(tabs);
    const envelope = envelopeFor(b);
    first.stream?.envelope(envelope);
    await until("it came", () => theirs.envelopes.length === 1);
  });
});

describe("a leader that is closed", () => {
  test("is followed by the next in line, where lost subscriptions can be had again", async () => {
    const { tabs, first, second, theirs } = await ledScene();
    const third = tabs.open();
    const others = third.join(c);
    await until("the third is live", () => others.live);
    first.keys.close();
    await until("both are lost", () => theirs.end !== undefined && others.end !== undefined);
    for (const { end } of [theirs, others]) expect(end).toMatchObject({ code: "unavailable", retryable: true });
    const [again, alsoAgain] = [second.join(b), third.join(c)];
    await until("both are live again", () => again.live && alsoAgain.live);
    expect(first.streams.map(({ closed }) => closed)).toEqual([true]);
    expect(await tabs.untilLed()).not.toBe(first);
    expect([...(tabs.leader().stream?.keys ?? [])].sort()).toEqual([`${b}`, `${c}`].sort());
  });

  test("is silent to its own takers", async () => {
    const { tabs, first, ours } = await ledScene();
    first.keys.close();
    await settle(tabs);
    expect(ours.told).toEqual(["live"]);
  });

  test("does not make the others lead one after another: they stay, and the next one leads", async () => {
    const { tabs, first, second } = await ledScene();
    const third = tabs.open();
    const others = third.join(c);
    await until("the third is live", () => others.live);
    first.keys.close();
    await tabs.untilLed();
    await settle(tabs);
    expect(second.streams.length + third.streams.length).toBe(1);
  });

  test("leaves those who wait for it with the next one, without an end", async () => {
    const tabs = createTabs();
    const first = tabs.open({ answers: false });
    first.join(a);
    await tabs.untilLed();
    const second = tabs.open();
    const theirs = second.join(b);
    await until("the leader has its key", () => first.stream?.keys.length === 2);
    first.keys.close();
    await until("it is live", () => theirs.live);
    expect([theirs.told, tabs.leader()]).toEqual([["live"], second]);
  });
});

describe("a tab that vanishes", () => {
  test("takes its keys with it", async () => {
    const { tabs, first } = await ledScene();
    const stranger = tabs.stranger();
    const { release } = await stranger.hold(`${tabs.name} tab x`);
    stranger.post({ type: "join", tab: "x", ticket: 7, key: `${c}` });
    await until("the leader has its key", () => first.stream?.keys.includes(`${c}`) === true);
    await until("it is told", () => stranger.heard.some((each) => each.type === "live" && each.to === "x"));
    release();
    await until("the key is gone", () => first.stream?.keys.includes(`${c}`) === false);
  });

  test("and comes back is somebody else", async () => {
    const { tabs, first, second, theirs } = await ledScene();
    second.keys.close();
    await until("its key is gone", () => first.stream?.keys.join() === `${a}`);
    const again = second.join(b);
    await until("it is live again", () => again.live);
    expect(theirs.told).toEqual(["live"]);
    expect(tabs.leader()).toBe(first);
  });
});

describe("a tab that has nothing subscribed any more", () => {
  test("stays for five seconds, and leaves nothing behind then", async () => {
    const channels = countChannels();
    const tabs = createTabs();
    const tab = tabs.open();
    const taker = tab.join(a);
    await until("it is live", () => taker.live);
    taker.leave();
    await tabs.clock.advance(4_999);
    expect(channels.open).toHaveLength(1);
    await tabs.clock.advance(1);
    expect([channels.open, tabs.clock.pending, tab.stream]).toEqual([[], 0, undefined]);
    await until("the locks are free", async () => (await tabs.locks()).length === 0);
    const again = tab.join(a);
    await until("it is live again", () => again.live);
  });

  test("leaves the lead to the others", async () => {
    const { tabs, first, second, ours, theirs } = await ledScene();
    theirs.leave();
    await tabs.clock.advance(5_000);
    await until("it is not waited for", async () => (await tabs.locks()).length === 2);
    ours.leave();
    const again = second.join(b);
    await until("it is live", () => again.live);
    expect(tabs.leader()).toBe(first);
    again.leave();
    await until("its key is gone", () => first.stream?.keys.length === 0);
    await tabs.clock.advance(5_000);
    await until("it is not waited for", async () => (await tabs.locks()).length === 2);
    await settle(tabs);
    await tabs.clock.advance(5_000);
    await until("all is free", async () => (await tabs.locks()).length === 0);
  });
});

describe("a leader that does not answer", () => {
  test("is replaced, once it was asked twice", async () => {
    const tabs = createTabs();
    const stranger = tabs.stranger();
    const { lost } = await stranger.hold(tabs.name);
    const tab = tabs.open();
    const taker = tab.join(a);
    await until("it asks", () => stranger.heard.some(({ type }) => type === "join"));
    const asked = stranger.heard.length;
    await tabs.clock.advance(1_500);
    await until("it asks again", () => stranger.heard.length > asked);
    await settle(tabs);
    expect(tab.stream).toBeUndefined();
    await tabs.clock.advance(1_500);
    await lost;
    await until("it is live", () => taker.live);
  });

  test("is found out by the pings of a tab that is live", async () => {
    const { tabs, first, second, theirs } = await ledScene();
    const channel = BroadcastChannel.prototype;
    const post = channel.postMessage;
    // The first tab hangs: nothing that it says gets out.
    const { stream } = first;
    stubProperty(channel, "postMessage", function (this: BroadcastChannel, message: { term?: string }) {
      if (message.term === undefined || second.stream !== undefined) post.call(this, message);
    });
    await tabs.clock.advance(15_000);
    await settle(tabs);
    await tabs.clock.advance(3_000);
    await until("the second leads", () => second.stream !== undefined);
    await until("the first follows", () => stream?.closed === true);
    expect(theirs.end).toMatchObject({ code: "unavailable", retryable: true });
    const again = first.join(a);
    await until("the first is served", () => again.live);
    expect(tabs.leader()).toBe(second);
  });

  test("is replaced by one tab, though many lose their patience at once", async () => {
    const tabs = createTabs();
    const stranger = tabs.stranger();
    await stranger.hold(tabs.name);
    const all = Array.from({ length: 6 }, () => tabs.open());
    const takers = all.map((tab) => tab.join(a));
    const asking = () => new Set(stranger.heard.flatMap((each) => (each.type === "join" ? [each.tab] : []))).size;
    await until("all ask", () => asking() === 6);
    await tabs.clock.advance(1_500);
    await settle(tabs);
    await tabs.clock.advance(1_500);
    await until("all are live", () => takers.every(({ live }) => live));
    await settle(tabs);
    // Whoever was replaced at once by another has lost what it had.
    const again = all.map((tab, index) => (takers[index]?.end === undefined ? takers[index] : tab.join(a)));
    await until("all are live again", () => again.every((taker) => taker?.live));
    const envelope = envelopeFor(a);
    tabs.leader().stream?.envelope(envelope);
    await until("it came everywhere", () => again.every((taker) => taker?.envelopes.length === 1));
    await settle(tabs);
    expect(again.every((taker) => taker?.envelopes.length === 1)).toBe(true);
    expect(all.flatMap(({ streams }) => streams).filter(({ closed }) => !closed)).toHaveLength(1);
  });

  test("and goes away while it is being replaced leaves one stream open, not two", async () => {
    const tabs = createTabs();
    const stranger = tabs.stranger();
    const { release } = await stranger.hold(tabs.name);
    const tab = tabs.open();
    const taker = tab.join(a);
    await until("it asks", () => stranger.heard.length > 0);
    await tabs.clock.advance(2_999);
    // Both ways to the lead come true: it is next in line, and takes the lock away.
    release();
    void tabs.clock.advance(1);
    await until("it leads", () => tab.stream !== undefined);
    await settle(tabs);
    expect(tab.streams.filter(({ closed }) => !closed)).toHaveLength(1);
    const last = taker.end === undefined ? taker : tab.join(a);
    await until("it is live", () => last.live);
    tab.stream?.envelope(envelopeFor(a));
    expect(last.envelopes).toHaveLength(1);
    expect(tab.stream?.keys).toEqual([`${a}`]);
  });

  test("is asked again by a tab that slept through the answer, and not replaced", async () => {
    const { tabs, first, second } = await ledScene();
    second.join(c);
    // The timers are due before the answer is read.
    await tabs.clock.advance(1_500);
    await settle(tabs);
    await tabs.clock.advance(1_500);
    await settle(tabs);
    expect([first.streams.length, second.streams.length]).toEqual([1, 0]);
  });
});

describe("a tab that was deposed", () => {
  test("loses what it had, and follows", async () => {
    const { tabs, first, second, ours, theirs } = await ledScene();
    const stranger = tabs.stranger();
    const { release } = await stranger.hold(tabs.name, { steal: true });
    await until("its stream is closed", () => first.stream === undefined);
    expect(ours.end).toMatchObject({ code: "unavailable", retryable: true });
    await until("the others hear of it", () => theirs.end !== undefined);
    release();
    const again = [first.join(a), second.join(b)];
    await until("both are live again", () => again.every(({ live }) => live));
    await tabs.untilLed();
  });

  test("says nothing that counts any more to those who follow another", async () => {
    const { tabs, second, theirs } = await ledScene();
    const stranger = tabs.stranger();
    const ping = () => stranger.heard.findLast((each) => "tab" in each && each.type === "ping");
    second.keys.renew();
    await until("it asks", () => ping() !== undefined);
    const to = (ping() as { tab: string }).tab;
    stranger.post({ type: "live", term: "old", to, ticket: 1 });
    stranger.post({
      type: "end",
      term: "old",
      to,
      ticket: 1,
      error: { code: "internal", message: "no", retryable: false },
    });
    await settle(tabs);
    expect(theirs.told).toEqual(["live"]);
  });

  test("leaves a tab that took it for the leader to the one who is", async () => {
    const tabs = createTabs();
    const stranger = tabs.stranger();
    await stranger.hold(tabs.name);
    const tab = tabs.open();
    const taker = tab.join(a);
    await until("it asks", () => stranger.heard.some(({ type }) => type === "join"));
    const { tab: to } = stranger.heard.find(({ type }) => type === "join") as { tab: string };
    stranger.post({ type: "here", term: "old", to });
    stranger.post({ type: "live", term: "old", to, ticket: 1 });
    await until("it is live", () => taker.live);
    // The other one has the lead already, and said so before this tab was there.
    stranger.post({ type: "gone", term: "old" });
    await until("it is lost", () => taker.end !== undefined);
    const again = tab.join(a);
    await until("it asks again", () => stranger.heard.filter(({ type }) => type === "join").length === 2);
    stranger.post({ type: "live", term: "new", to, ticket: 2 });
    await until("it is live again", () => again.live);
  });
});

describe("a page that is frozen", () => {
  test("gives the lead away, and its takers back", async () => {
    const { tabs, first, second, ours, theirs } = await ledScene();
    first.keys.sleep();
    expect(ours.end).toMatchObject({ code: "unavailable", retryable: true });
    await until("the other loses its stream", () => theirs.end !== undefined);
    const again = second.join(b);
    await until("it is live again", () => again.live);
    expect(tabs.leader()).toBe(second);
    const back = first.join(a);
    await until("the first is back", () => back.live);
    expect(tabs.leader()).toBe(second);
  });
});

describe("where the platform refuses locks, as in sandboxed frames,", () => {
  test("each tab has a stream of its own", async () => {
    stubProperty(navigator.locks, "request", async () => {
      throw new DOMException("not here", "SecurityError");
    });
    const tabs = createTabs();
    const all = [tabs.open(), tabs.open()];
    const takers = all.map((tab) => tab.join(a));
    await until("both are live", () => takers.every(({ live }) => live));
    expect(all.map(({ streams }) => streams.length)).toEqual([1, 1]);
    all[0]?.stream?.envelope(envelopeFor(a));
    await settle(tabs);
    expect(takers.map(({ envelopes }) => envelopes.length)).toEqual([1, 0]);
  });
});

describe("closing", () => {
  const states: Readonly<Record<string, (tabs: Tabs, tab: Tab) => Promise<void>>> = {
    "before anything happened": async () => {},
    "right after the first subscription": async (_, tab) => void tab.join(a),
    "while it waits for a leader": async (tabs, tab) => {
      const stranger = tabs.stranger();
      await stranger.hold(tabs.name);
      tab.join(a);
      await until("it asks", () => stranger.heard.length > 0);
    },
    "while it leads": async (tabs, tab) => {
      tab.join(a);
      await tabs.untilLed();
    },
    "while it is about to take the lead away": async (tabs, tab) => {
      const stranger = tabs.stranger();
      await stranger.hold(tabs.name);
      tab.join(a);
      await until("it asks", () => stranger.heard.length > 0);
      void tabs.clock.advance(3_000);
    },
    "while nothing is subscribed any more": async (tabs, tab) => {
      const taker = tab.join(a);
      await tabs.untilLed();
      taker.leave();
    },
    "twice, with another subscription between": async (tabs, tab) => {
      tab.join(a);
      await tabs.untilLed();
      tab.keys.close();
      tab.join(b);
    },
  };
  test.each(Object.keys(states))("%s leaves no channel, no lock, no stream and no timer", async (state) => {
    const channels = countChannels();
    const tabs = createTabs();
    const tab = tabs.open();
    await states[state]?.(tabs, tab);
    const strangers = channels.open.length - (["before anything happened"].includes(state) ? 0 : 1);
    tab.keys.close();
    tab.keys.close();
    expect(channels.open).toHaveLength(strangers);
    await until("its locks are free", async () => !(await tabs.locks()).some((lock) => lock !== tabs.name));
    await tabs.clock.advance(0);
    expect([tabs.clock.pending, tab.stream]).toEqual([0, undefined]);
  });
});

test("whatever tabs do, one leads in the end, and everybody gets everything once", { timeout: 60_000 }, async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = createSeededRandom(seed);
    const tabs = createTabs();
    const all = Array.from({ length: 4 }, () => tabs.open());
    const stranger = tabs.stranger();
    for (let step = 0; step < 30; step++) {
      const tab = all[random.integer(0, all.length - 1)] as Tab;
      const act = random.integer(0, 7);
      if (act <= 2) tab.join(random.pick([a, b, c]), random.chance(0.3) ? { onEnd: () => void tab.join(a) } : {});
      else if (act === 3) tab.keys.close();
      else if (act === 4) tab.keys.sleep();
      else if (act === 5) tab.keys.renew();
      else if (act === 6) void stranger.hold(tabs.name, { steal: true }).then(({ release }) => release());
      else await tabs.clock.advance(random.integer(0, 6_000));
      for (let i = random.integer(0, 5); i > 0; i--) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    for (const tab of all) tab.keys.close();
    const takers = all.map((tab) => tab.join(a));
    await settle(tabs);
    const last = all.map((tab, index) => {
      const taker = takers[index];
      return taker === undefined || taker.end !== undefined ? tab.join(a) : taker;
    });
    await until(`all are live (seed ${seed})`, () => last.every(({ live }) => live));
    const envelope = envelopeFor(a);
    (await tabs.untilLed()).stream?.envelope(envelope);
    await until(`it came everywhere (seed ${seed})`, () => last.every(({ envelopes }) => envelopes.length > 0));
    await settle(tabs);
    expect({ seed, counts: last.map(({ envelopes }) => envelopes.length) }).toEqual({ seed, counts: [1, 1, 1, 1] });
    for (const tab of all) tab.keys.close();
    await until("all is free", async () => (await tabs.locks()).length === 0);
    expect({ seed, pending: tabs.clock.pending }).toEqual({ seed, pending: 0 });
  }
});

describe("canShare", () => {
  test("is true where there are locks and channels", () => {
    expect(canShare()).toBe(true);
  });
  test("is false without channels", () => {
    removeChannels();
    expect(canShare()).toBe(false);
  });
  test("is false without locks", () => {
    stubProperty(navigator, "locks", undefined);
    expect(canShare()).toBe(false);
  });
});
