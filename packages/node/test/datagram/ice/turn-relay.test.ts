/** A place at a TURN server over hours, in virtual time: the server of the other tests is a real one. */

import { createVirtualClock, type VirtualClock } from "@wice/core/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Base } from "../../../src/datagram/ice/base.ts";
import { parseServers } from "../../../src/datagram/ice/server-url.ts";
import { allocateRelay, type Relay } from "../../../src/datagram/ice/turn-relay.ts";
import { type ScriptedTurn, startScriptedTurn } from "../support/scripted-turn.ts";

const peer = "192.0.2.7";
const minuteMs = 60_000;

interface Place {
  readonly clock: VirtualClock;
  readonly server: ScriptedTurn;
  readonly relay: Relay;
  readonly base: Base;
  readonly lost: readonly Base[];
  /** How often this was asked so far. */
  count(name: string): number;
}

function ask({ url, username, credential }: ScriptedTurn, clock: VirtualClock, lost: Base[] = []) {
  const [parsed] = parseServers([{ urls: url, username, credential }]);
  if (parsed?.kind !== "turn") throw new Error("no TURN server");
  return allocateRelay(parsed, {
    ...{ clock, signal: new AbortController().signal, localPreference: 1, ca: undefined },
    onPacket() {},
    onLow() {},
    onLost: (base) => lost.push(base),
  });
}

async function open(): Promise<Place> {
  const clock = createVirtualClock();
  const server = await startScriptedTurn();
  const lost: Base[] = [];
  const relay = await ask(server, clock, lost);
  if ("code" in relay) throw new Error(relay.text);
  onTestFinished(async () => {
    relay.base.close();
    await server[Symbol.asyncDispose]();
  });
  const count = (name: string): number => server.asked.filter((each) => each.name === name).length;
  return { clock, server, relay, base: relay.base, lost, count };
}

/** In virtual time, with moments in between for what is sent in fact. */
async function pass({ clock }: Pick<Place, "clock">, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 1_000) {
    await clock.advance(1_000);
    await turns(6);
  }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** With a permission and a channel. */
async function inUse(): Promise<Place> {
  const place = await open();
  place.base.permit(peer);
  place.base.prefer(peer, 9);
  await expect.poll(() => way(place)).toBe("channel");
  return place;
}

/** How a packet to the peer leaves. */
async function way({ base, server }: Place, port = 9): Promise<"channel" | "indication" | "not at all"> {
  const { length } = server.carried;
  base.send(Buffer.from("data"), peer, port);
  await turns(20);
  return server.carried[length] ?? "not at all";
}

describe("a place at a TURN server", () => {
  test("is kept for hours, with its permission and its channel, and over new nonces", async () => {
    const place = await inUse();
    for (let hour = 0; hour < 2; hour++) {
      place.server.nonce = `of hour ${hour}`;
      await pass(place, 60 * minuteMs);
      expect(await way(place)).toBe("channel");
    }
    expect(place.lost).toEqual([]);
    // Each half of 10 minutes, and each 4 of 5 minutes.
    for (const [name, times] of [
      ["refresh", 24],
      ["createPermission", 31],
      ["channelBind", 31],
    ] as const)
      expect(Math.abs(place.count(name) - times), name).toBeLessThanOrEqual(1);
  });

  test("is given back when it is closed", async () => {
    const { base, server } = await open();
    base.close();
    await expect.poll(() => server.asked.at(-1)).toMatchObject({ name: "refresh", lifetimeS: 0 });
  });

  test("is given back when the server's yes never comes", async () => {
    const clock = createVirtualClock();
    await using server = await startScriptedTurn();
    server.says = ({ name }) => (name === "allocate" ? "nothing" : "yes");
    const asking = ask(server, clock);
    await expect.poll(() => server.asked.length).toBe(1);
    await pass({ clock }, 6_000);
    expect(await asking).toMatchObject({ code: 701 });
    await expect.poll(() => server.asked.at(-1)).toMatchObject({ name: "refresh", lifetimeS: 0 });
  });

  test.each([
    ["refresh", "channel"],
    ["createPermission", "channel"],
    ["channelBind", "indication"],
  ])(
    "outlives a server that is silent to a %s for 30 s: what is sent goes by %s meanwhile",
    async (name, meanwhile) => {
      const place = await inUse();
      const before = place.count(name);
      let silentSinceMs: number | undefined;
      place.server.says = (request) => {
        if (request.name !== name) return "yes";
        silentSinceMs ??= place.clock.now();
        return place.clock.now() - silentSinceMs < 30_000 ? "nothing" : "yes";
      };
      while (silentSinceMs === undefined) await pass(place, 1_000);
      await pass(place, 25_000);
      expect(place.count(name)).toBeGreaterThan(before + 5);
      expect(await way(place)).toBe(meanwhile);
      await pass(place, 20 * minuteMs);
      expect(await way(place)).toBe("channel");
      expect(place.lost).toEqual([]);
    },
  );

  test("is lost when the server is silent until it has ended, and at once when the server does not know it", async () => {
    const silent = await inUse();
    silent.server.says = () => "nothing";
    await pass(silent, 9 * minuteMs);
    expect(silent.lost).toEqual([]);
    await pass(silent, 2 * minuteMs);
    expect(silent.lost).toEqual([silent.base]);

    for (const name of ["refresh", "createPermission", "channelBind"]) {
      const forgotten = await inUse();
      forgotten.server.says = (request) => (request.name === name ? 437 : "yes");
      await pass(forgotten, 5 * minuteMs + 5_000);
      expect(forgotten.lost).toEqual([forgotten.base]);
    }
  });

  test("can be asked for: whoever has moved to another address is unknown to the server", async () => {
    const { relay, server, lost, base } = await inUse();
    expect(await relay.check()).toBe(true);
    server.says = () => 437;
    expect(await relay.check()).toBe(false);
    expect(lost).toEqual([base]);
  });

  test("gets a permission that the server does not answer for at first", async () => {
    const place = await open();
    place.server.says = ({ name }) => (name === "createPermission" ? "nothing" : "yes");
    place.base.permit(peer);
    await pass(place, 10_000);
    expect(await way(place)).toBe("not at all");
    place.server.says = () => "yes";
    await pass(place, 5_000);
    expect(await way(place)).toBe("indication");
  });

  test("does without an address that the server forbids, and asks again when it is wanted again", async () => {
    const place = await open();
    place.server.says = (request) => (request.name === "createPermission" ? 403 : "yes");
    place.base.permit(peer);
    await expect.poll(() => place.count("createPermission")).toBe(1);
    expect(await way(place)).toBe("not at all");
    await pass(place, 10 * minuteMs);
    expect(place.count("createPermission")).toBe(1);
    place.server.says = () => "yes";
    place.base.permit(peer);
    await expect.poll(() => way(place)).toBe("indication");
  });

  test("keeps 256 permissions and 8 channels, those wanted last, however many a peer causes", async () => {
    const place = await open();
    const addressOf = (i: number): string => `198.51.${i >> 8}.${i & 255}`;
    for (let i = 0; i < 1_000; i++) {
      place.base.permit(addressOf(i));
      if (i % 20 === 19) await turns(6);
    }
    place.base.permit(peer);
    for (let port = 1; port <= 100; port++) {
      place.base.prefer(peer, port);
      await turns(6);
    }
    const before = { permissions: place.count("createPermission"), channels: place.count("channelBind") };
    expect(before).toEqual({ permissions: 1_001, channels: 100 });
    await pass(place, 250_000);
    expect(place.count("createPermission") - before.permissions).toBe(256);
    expect(place.count("channelBind") - before.channels).toBe(8);
    expect([await way(place, 100), await way(place, 92)]).toEqual(["channel", "indication"]);
  });
});
