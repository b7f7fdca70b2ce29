import {
  type IceServer,
  type IceServerSource,
  type IceServers,
  type PeerConnectionConfiguration,
  rtc,
  type ServerError,
  WiceError,
} from "@wice/core";
import { createAgentPair, createVirtualClock } from "@wice/core/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { createIceServers } from "../../src/agent/ice-servers.ts";
import { load } from "./support/implementations.ts";

const stun = { urls: "stun:stun.example.org" };
const turn = { urls: ["turn:turn.example.org", "turns:turn.example.org"], username: "u", credential: "c" };
const open = new AbortController().signal;

/** A source that answers as told, and servers of it at a time under control. */
function createScene(answer: IceServerSource) {
  const clock = createVirtualClock();
  const errors: ServerError[] = [];
  let asked = 0;
  const servers = createIceServers(
    (options) => {
      asked += 1;
      return answer(options);
    },
    { clock, now: clock.now },
  );
  return {
    ...{ clock, errors, servers },
    asked: () => asked,
    current: (signal = open) => servers.current(signal, (error) => errors.push(error)),
  };
}

describe("ICE servers", () => {
  test("are those that were given, and nobody is asked", async () => {
    const servers = createIceServers([stun, turn]);
    expect(await servers.current(open, () => {})).toEqual([stun, turn]);
    expect(servers.hasTurn).toBe(true);
    expect(createIceServers([stun]).hasTurn).toBe(false);
    expect(createIceServers([{ urls: "TURN:turn.example.org" }]).hasTurn).toBe(true);
  });

  test.each([[[null]], [[{}]], [[{ urls: 1 }]], ["stun:stun.example.org"]])("are not %j", (given) => {
    expect(() => rtc({ iceServers: given as never })).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });

  test("are asked for when they are wanted first, and once for all who want them then", async () => {
    const { servers, current, asked } = createScene(async () => ({ servers: [turn] }));
    expect([servers.hasTurn, asked()]).toEqual([false, 0]);
    const [one, two] = await Promise.all([current(), current()]);
    expect([one, two, await current()]).toEqual([[turn], [turn], [turn]]);
    expect([servers.hasTurn, asked()]).toEqual([true, 1]);
  });

  test("are asked for again a minute before they end, and not sooner", async () => {
    const answers: IceServers[] = [
      { servers: [turn], expiresAtMs: 3_600_000 },
      { servers: [stun], expiresAtMs: 7_200_000 },
    ];
    const { servers, clock, current, asked } = createScene(async () => answers.shift() as IceServers);
    await current();
    await clock.advance(3_539_000);
    expect([await current(), asked()]).toEqual([[turn], 1]);
    await clock.advance(1_000);
    expect([await current(), asked(), servers.hasTurn]).toEqual([[stun], 2, false]);
  });

  test("that cannot be had are asked for once more, half a second later", async () => {
    let fails = true;
    const { clock, current, errors, asked } = createScene(async () => {
      if (!fails) return { servers: [stun] };
      fails = false;
      throw new Error("no network yet");
    });
    expect([await clock.runUntil(current()), clock.now(), asked(), errors]).toEqual([[stun], 500, 2, []]);
    expect(clock.pending).toBe(0);
  });

  test.each<[string, IceServerSource, string]>([
    ["throws", () => raise(new Error("password: secret")), "the ICE servers cannot be had"],
    ["rejects", async () => raise(new WiceError("unavailable", "the relay is gone")), "the relay is gone"],
    ["answers something else", async () => [stun] as never, "ICE servers are a list like"],
    ["answers nothing", async () => undefined as never, "ICE servers are a list like"],
  ])(
    "whose source %s are done without, which is told; and the next who wants them asks again",
    async (_, source, text) => {
      const { clock, current, errors, asked } = createScene(source);
      expect(await clock.runUntil(current())).toEqual([]);
      expect(errors).toEqual([{ url: "iceServers", code: 701, text: expect.stringContaining(text) }]);
      expect(asked()).toBe(2);
      await clock.runUntil(current());
      expect([asked(), clock.pending]).toEqual([4, 0]);
    },
  );

  test("that have ended are better than none, when others cannot be had", async () => {
    const answers: IceServers[] = [{ servers: [turn], expiresAtMs: 100_000 }];
    const { servers, clock, current, errors } = createScene(async () => answers.shift() ?? raise(new Error("gone")));
    await current();
    await clock.advance(200_000);
    expect(await clock.runUntil(current())).toEqual([turn]);
    expect([errors.length, servers.hasTurn]).toEqual([1, true]);
  });

  test("whose source never answers are waited for 5 seconds, and the source is told to stop", async () => {
    let stopped = false;
    const { clock, current, errors } = createScene(({ signal }) => {
      signal?.addEventListener("abort", () => {
        stopped = true;
      });
      return new Promise(() => {});
    });
    expect(await clock.runUntil(current())).toEqual([]);
    expect([clock.now(), stopped, errors.length]).toEqual([5_000, true, 1]);
  });

  test("are not waited for by who has given up, and others get them still", async () => {
    let answer = (_: IceServers): void => {};
    const { current, errors, asked } = createScene(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    const leaving = new AbortController();
    const [left, stayed] = [current(leaving.signal), current()];
    leaving.abort(new Error("given up"));
    await expect(left).rejects.toThrow("given up");
    answer({ servers: [stun] });
    expect([await stayed, asked(), errors]).toEqual([[stun], 1, []]);
  });
});

describe("an agent", () => {
  const connect = async (iceServers: IceServerSource) => {
    const told: ServerError[] = [];
    const agent = rtc({ RTCPeerConnection: await load("node-datachannel"), iceServers });
    const nothing = (): void => {};
    const connection = agent.connect({
      role: "controlling",
      events: {
        ...{ onCandidate: nothing, onCandidatesComplete: nothing, onState: nothing, onNegotiationNeeded: nothing },
        ...{ onChannel: nothing, onServerError: (error) => told.push(error) },
      },
    });
    return { agent, told, connection };
  };

  test("tells of servers that cannot be had, and connects without", async () => {
    const { told, connection, agent } = await connect(async () => raise(new Error("gone")));
    expect((await connection.offer({ restart: false })).sdp).toContain("m=application");
    expect(told).toEqual([{ url: "iceServers", code: 701, text: "the ICE servers cannot be had" }]);
    expect(agent.hasTurn).toBe(false);
    connection.close();
  });

  test("restarts ICE with servers that are good then", async () => {
    const answers: IceServer[][] = [[], [turn]];
    const iceServers: IceServerSource = async () => ({ servers: answers.shift() ?? [], expiresAtMs: 0 });
    const Original = await load("werift");
    const configured: unknown[] = [];
    const RTCPeerConnection = new Proxy(Original, {
      construct: (Target, args: ConstructorParameters<typeof Original>) =>
        Object.assign(new Target(...args), {
          setConfiguration: (given: PeerConnectionConfiguration) => void configured.push(given.iceServers),
        }),
    });
    const pair = createAgentPair(rtc({ RTCPeerConnection, iceServers }), rtc({ RTCPeerConnection: Original }));
    onTestFinished(() => pair.close());
    await pair.negotiate();
    configured.length = 0;
    await pair.one.connection.offer({ restart: true });
    expect(configured).toEqual([[turn]]);
  });

  test("tells of servers that its WebRTC does not take, and connects without", async () => {
    const { told, connection } = await connect(async () => ({ servers: [{ urls: "http://stun.example.org" }] }));
    expect((await connection.offer({ restart: false })).sdp).toContain("m=application");
    expect(told.map(({ code }) => code)).toEqual([701]);
    connection.close();
  });
});

function raise(error: Error): never {
  throw error;
}
