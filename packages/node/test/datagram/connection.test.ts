import type { Socket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { setTimeout as passed } from "node:timers/promises";
import { type Agent, type AgentChannel, type AgentDescription, isWiceError, type ServerError } from "@wice/core";
import { type AgentPair, createAgentPair } from "@wice/core/testing";
import { type DatagramNative, type DatagramOptions, datagram } from "@wice/node/datagram";
import { describe, expect, onTestFinished, test } from "vitest";
import { attribute, encodeStun, method, uint32 } from "../../src/datagram/ice/stun-message.ts";
import { bindLoopback } from "./support/loopback-socket.ts";
import { connectByWire } from "./support/wire.ts";

const onLoopback: DatagramOptions = { useAddress: ({ address }) => address === "127.0.0.1" };

describe("a description", () => {
  test("has credentials and a key of its own each time, as long as cunīcu's", async () => {
    const all: AgentDescription[] = [];
    for (let i = 0; i < 3; i++) {
      const { one } = openPair();
      all.push(await one.connection.offer({ restart: false }), await one.connection.offer({ restart: true }));
    }
    for (const { sdp, ufrag, pwd, ephemeralKey } of all) {
      expect(sdp).toBe("");
      expect(ufrag).toMatch(/^[A-Za-z]{16}$/);
      expect(pwd).toMatch(/^[A-Za-z]{32}$/);
      expect(ephemeralKey).toHaveLength(32);
    }
    for (const field of ["ufrag", "pwd", "ephemeralKey"] as const)
      expect(new Set(all.map((each) => String(each[field])))).toHaveLength(6);
  });

  test("names no candidates but those of this machine, when nobody has named a server", async () => {
    const { one } = openPair({});
    await one.connection.offer({ restart: false });
    await one.until(() => one.completed.length > 0);
    expect(one.candidates.length).toBeGreaterThan(0);
    for (const { candidate } of one.candidates) {
      expect(candidate).toMatchObject({ type: "host", protocol: "udp", component: 1, related: undefined });
      expect(candidate.address).not.toMatch(/^(127\.|::1|fe80|169\.254)/);
    }
  });
});

describe("addresses and ports", () => {
  test("IPv6 only", async () => {
    const pair = openPair({ useAddress: ({ address }) => address === "::1" });
    await connect(pair);
    expect(await pair.one.connection.selectedPair()).toMatchObject({
      local: { address: "::1" },
      remote: { address: "::1" },
    });
    await echo(pair);
  });

  test("link-local addresses of IPv6, which are on one interface each", async ({ skip }) => {
    const isLinkLocal = (address: string): boolean => address.startsWith("fe80:");
    const all = Object.values(networkInterfaces()).flatMap((list = []) => list);
    if (!all.some(({ address }) => isLinkLocal(address))) skip("needs an interface with a link-local address");
    const pair = openPair({ useAddress: ({ address }) => isLinkLocal(address) });
    await connect(pair);
    expect((await pair.one.connection.selectedPair())?.remote.address).toMatch(/^fe80:[0-9a-f:]+$/);
    await echo(pair);
  });

  test("a port range is kept to, also by a restart", async () => {
    const range = await freeRange(4);
    const pair = openPair({ ...onLoopback, portRange: range });
    await connect(pair);
    await pair.negotiate({ restart: true });
    await pair.one.until(() => new Set(pair.one.candidates.map(({ ufrag }) => ufrag)).size === 2);
    for (const { candidate } of [...pair.one.candidates, ...pair.two.candidates]) {
      expect(candidate.port).toBeGreaterThanOrEqual(range.min);
      expect(candidate.port).toBeLessThanOrEqual(range.max);
    }
  });

  test("a port range that is exhausted rejects, and is good again when a port is free", async () => {
    const range = await freeRange(1);
    const taken = await openSocket(range.min);
    const agent = datagram({ ...onLoopback, portRange: range });
    const connection = agent.connect({ role: "controlling", events: noEvents });
    onTestFinished(() => connection.close());
    const failure = await connection.offer({ restart: false }).catch((error: unknown) => error);
    expect(isWiceError(failure, "address-in-use")).toBe(true);
    expect(String(failure)).toContain(`no port of ${range.min} to ${range.max}`);
    taken.close();
    await once(taken, "close");
    expect(await connection.offer({ restart: false })).toMatchObject({ ufrag: expect.any(String) });
  });

  test("options that cannot be are refused at once", () => {
    for (const options of [
      { datagramBytes: 100 },
      { datagramBytes: 1_200.5 },
      { portRange: { min: 9, max: 8 } },
      { portRange: { min: 0, max: 8 } },
    ])
      expect(() => datagram(options)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });

  test("larger datagrams where they are wanted", async () => {
    const pair = openPair({ ...onLoopback, datagramBytes: 9_000 });
    await connect(pair);
    expect(pair.one.connection.main.maxMessageBytes).toBe(8_979);
    const message = next(pair.two.connection.main);
    pair.one.connection.main.send(new Uint8Array(8_979).fill(7));
    expect(await message).toEqual(new Uint8Array(8_979).fill(7));
  });
});

describe("protection", () => {
  test("is said, and 1,179 bytes fit by default, or bare 8,192 to a daemon", () => {
    const { connection } = openPair().one;
    expect(connection.protection).toBe("sealed");
    expect(connection.main.maxMessageBytes).toBe(1_179);
    const bare = datagram(onLoopback).connect({ role: "controlled", bare: true, events: noEvents });
    expect(bare.protection).toBe("none");
    // What pion reads of a datagram, and so what daemons of cunīcu can take.
    expect(bare.main.maxMessageBytes).toBe(8_192);
    expect(datagram().dialect).toBeDefined();
    expect(datagram({ daemons: false }).dialect).toBeUndefined();
  });

  test("hides what is sent, and refuses what is altered or comes again on the path", async () => {
    const pair = openPair();
    await using wire = await connectByWire(pair);
    const seen: Buffer[] = [];
    wire.onPacket = (packet) => {
      seen.push(packet);
      return packet;
    };
    await pair.connected();
    const secret = Buffer.from("a secret that nobody on the path should read");
    const got: Uint8Array[] = [];
    pair.two.connection.main.handlers = { onMessage: (message) => got.push(message) };
    pair.one.connection.main.send(secret);
    await expect.poll(() => got.length).toBe(1);
    expect(seen.some((packet) => packet.includes(secret))).toBe(false);
    const sealed = seen.filter((packet) => packet.length === secret.length + 21);
    expect(sealed).toHaveLength(1);
    const { refused } = pair.two.connection.native.counts;
    // Each of the next is altered, and sent together with one that was there before.
    wire.onPacket = (packet) => {
      if (!isSealed(packet)) return packet;
      return packet.map((byte, at) => (at === 9 ? byte ^ 1 : byte)) as Buffer;
    };
    for (let i = 0; i < 10; i++) pair.one.connection.main.send(secret);
    await expect.poll(() => pair.two.connection.native.counts.refused).toBe(refused + 10);
    wire.onPacket = (packet) => (isSealed(packet) ? (sealed[0] as Buffer) : packet);
    for (let i = 0; i < 10; i++) pair.one.connection.main.send(secret);
    await expect.poll(() => pair.two.connection.native.counts.refused).toBe(refused + 20);
    expect(got).toHaveLength(1);
    expect(pair.two.connection.state).toBe("connected");
  });

  test("refuses what is its own, sent back, and what is of another session", async () => {
    const [pair, other] = [openPair(), openPair()];
    await using wire = await connectByWire(pair);
    await using otherWire = await connectByWire(other);
    const sealed = { here: [] as Buffer[], there: [] as Buffer[] };
    for (const [each, list] of [
      [wire, sealed.here],
      [otherWire, sealed.there],
    ] as const)
      each.onPacket = (packet) => {
        if (packet.length === 1_021) list.push(packet);
        return packet;
      };
    await Promise.all([pair.connected(), other.connected()]);
    for (const { one, two } of [pair, other]) {
      const message = next(two.connection.main);
      one.connection.main.send(new Uint8Array(1_000));
      await message;
    }
    const got: Uint8Array[] = [];
    for (const { connection } of [pair.one, pair.two])
      connection.main.handlers = { onMessage: (message) => got.push(message) };
    // What the second side sends becomes what the first has sent itself; then, both ways, what others have.
    for (const [from, to, forgery] of [
      [pair.two, pair.one, sealed.here[0]],
      [pair.two, pair.one, sealed.there[0]],
      [pair.one, pair.two, sealed.there[0]],
    ] as const) {
      const { refused } = to.connection.native.counts;
      wire.onPacket = (packet) => (isSealed(packet) ? forgery : packet);
      for (let i = 0; i < 5; i++) from.connection.main.send(new Uint8Array(1_000));
      await expect.poll(() => to.connection.native.counts.refused).toBe(refused + 5);
    }
    expect(got).toEqual([]);
    wire.onPacket = (packet) => packet;
    await echo(pair);
  });

  test("goes on over restarts, each with keys of its own: what was recorded before opens never again", async () => {
    const pair = openPair();
    const recorded: Buffer[] = [];
    await using wire = await connectByWire(pair);
    wire.onPacket = (packet) => {
      if (packet.length === 1_021) recorded.push(packet);
      return packet;
    };
    await pair.connected();
    for (let i = 0; i < 2; i++) {
      const message = next(pair.two.connection.main);
      pair.one.connection.main.send(new Uint8Array(1_000).fill(i));
      await message;
    }
    // Nothing but the first words under new keys goes either way now.
    const greeted = new Set<string>();
    wire.onPacket = (packet, to) => {
      if (isSealed(packet)) greeted.add(to);
      return packet;
    };
    await restart(pair);
    pair.two.connection.addCandidates([wire.candidate]);
    await expect.poll(() => greeted.size).toBe(2);
    const got: Uint8Array[] = [];
    pair.two.connection.main.handlers = { onMessage: (message) => got.push(message) };
    const { refused } = pair.two.connection.native.counts;
    let at = 0;
    wire.onPacket = (packet, to) => (to === "two" && isSealed(packet) ? recorded[at++ % recorded.length] : packet);
    for (let i = 0; i < 6; i++) pair.one.connection.main.send(new Uint8Array(1_000));
    await expect.poll(() => pair.two.connection.native.counts.refused).toBe(refused + 6);
    expect(got).toEqual([]);
    wire.onPacket = (packet) => packet;
    await echo(pair);
    expect([pair.one.states, pair.two.states]).toEqual([["connected"], ["connected"]]);
  });

  test("opens what is sealed for a restart that one side never saw the end of, when another one has begun", async () => {
    const pair = openPair();
    await using wire = await connectByWire(pair);
    await pair.connected();
    const { opened } = pair.two.connection.native.counts;
    let held = 0;
    wire.onPacket = (packet, to) => {
      if (to === "two" || !isSealed(packet)) return packet;
      held += 1;
      return undefined;
    };
    await restart(pair);
    pair.two.connection.addCandidates([wire.candidate]);
    // The second side has all it needs to use the new keys, and the first one has not heard so.
    await expect.poll(() => held > 0 && pair.two.connection.native.counts.opened > opened).toBe(true);
    await restart(pair);
    wire.onPacket = (packet) => packet;
    // The second side is one restart ahead, and the first one still uses the keys from before.
    await echo(pair);
  });

  test.each([
    ["ours protects and the peer's does not", true, false],
    ["ours does not and the peer's protects", false, true],
  ])("is the same at both ends: %s is refused", async (_, ours, theirs) => {
    const pair = createAgentPair(
      datagram({ ...onLoopback, protect: theirs }),
      datagram({ ...onLoopback, protect: ours }),
    );
    onTestFinished(() => pair.close());
    const failure = await pair.negotiate().catch((error: unknown) => error);
    expect(isWiceError(failure, "invalid-message")).toBe(true);
  });
});

describe("bare datagrams", () => {
  test("are the application's as they are, of any kind and size", async () => {
    const pair = openPair({ ...onLoopback, protect: false });
    const seen: Buffer[] = [];
    await using wire = await connectByWire(pair);
    wire.onPacket = (packet) => {
      seen.push(packet);
      return packet;
    };
    await pair.connected();
    for (const { connection } of [pair.one, pair.two]) {
      expect(connection.control.state).toBe("connecting");
      expect(connection.protection).toBe("none");
    }
    // As WireGuard's begin, and empty, and as large as its largest.
    for (const bytes of [
      Buffer.from([1, 0, 0, 0, 9]),
      Buffer.from([4, 0, 0, 0]),
      Buffer.alloc(0),
      Buffer.alloc(1_452, 3),
    ]) {
      const message = next(pair.two.connection.main);
      pair.one.connection.main.send(bytes);
      expect(Buffer.from(await message)).toEqual(bytes);
      expect(seen.some((packet) => packet.equals(bytes))).toBe(true);
    }
  });

  test("are taken from where the peer has signed something, and from nowhere else", async () => {
    const pair = openPair({ ...onLoopback, protect: false });
    await connect(pair);
    const got: Uint8Array[] = [];
    pair.two.connection.main.handlers = { onMessage: (message) => got.push(message) };
    const stranger = await openSocket();
    const port = portOf(pair.two);
    for (let i = 0; i < 100; i++) stranger.send(Buffer.from("stranger"), port, "127.0.0.1");
    await expect.poll(() => pair.two.connection.native.counts.strange).toBe(100);
    pair.one.connection.main.send(Buffer.from("friend"));
    await expect.poll(() => got.map((message) => Buffer.from(message).toString())).toEqual(["friend"]);
  });
});

describe("a path", () => {
  test("that dies is noticed within 6 s, and comes back", async () => {
    const pair = openPair();
    await using wire = await connectByWire(pair);
    await pair.connected();
    wire.isDead = true;
    const since = performance.now();
    await Promise.all([pair.one, pair.two].map((end) => end.until(() => end.connection.state === "disconnected")));
    expect(performance.now() - since).toBeLessThan(6_000);
    wire.isDead = false;
    await pair.connected();
    await echo(pair);
  });

  test("is found though it is dead for 3 s", async () => {
    const pair = openPair();
    await using wire = await connectByWire(pair);
    wire.isDead = true;
    setTimeout(() => {
      wire.isDead = false;
    }, 3_000);
    const since = performance.now();
    await pair.connected();
    expect(performance.now() - since).toBeLessThan(5_000);
  });

  test("is found in spite of 40 % loss", async () => {
    const pair = openPair();
    await using wire = await connectByWire(pair);
    wire.loss = 0.4;
    await pair.connected();
  });

  test("whose other end falls silent without a word ends the same way", async () => {
    const pair = openPair();
    await using wire = await connectByWire(pair);
    await pair.connected();
    wire.isDead = true;
    pair.two.connection.close();
    await pair.one.until(() => pair.one.connection.state === "disconnected");
  });

  test("that is restarted while it is dead comes to life, from either side", async () => {
    for (const from of ["one", "two"] as const) {
      const pair = openPair();
      const wire = await connectByWire(pair);
      await pair.connected();
      wire.isDead = true;
      await pair.one.until(() => pair.one.connection.state === "disconnected");
      // Candidates go the usual way now.
      await pair.negotiate({ from, restart: true });
      await pair.connected();
      await echo(pair);
      await wire[Symbol.asyncDispose]();
    }
  });
});

describe("sending", () => {
  test("waits its turn, says how much does, and loses next to nothing", async () => {
    const pair = openPair();
    await connect(pair);
    const { main } = pair.one.connection;
    const total = 20_000;
    let arrived = 0;
    pair.two.connection.main.handlers = {
      onMessage() {
        arrived += 1;
      },
    };
    let sent = 0;
    let most = 0;
    await new Promise<void>((resolve) => {
      const message = new Uint8Array(main.maxMessageBytes);
      const pump = (): void => {
        for (; sent < total && main.bufferedBytes < 1_048_576; sent++) main.send(message);
        most = Math.max(most, main.bufferedBytes);
        if (sent === total) resolve();
      };
      main.handlers = { onLow: pump };
      pump();
    });
    await expect.poll(() => main.bufferedBytes, { timeout: 10_000 }).toBe(0);
    expect(most).toBeGreaterThan(1_000_000);
    await expect.poll(() => arrived, { timeout: 5_000 }).toBeGreaterThan(0.95 * total);
  });

  test.each([true, false])("copies what it is given, sealed: %s", async (protect) => {
    const pair = openPair({ ...onLoopback, protect });
    await connect(pair);
    const { main } = pair.one.connection;
    expect(main.copies).toBe(true);
    const message = next(pair.two.connection.main);
    const given = Uint8Array.of(1, 2, 3);
    main.send(given);
    given.fill(0);
    expect(await message).toEqual(Uint8Array.of(1, 2, 3));
  });

  test("more than 4 MiB at once loses the oldest, and holds no more", async () => {
    const pair = openPair();
    await connect(pair);
    const { main } = pair.one.connection;
    let last = -1;
    pair.two.connection.main.handlers = {
      onMessage(message) {
        last = message.length;
      },
    };
    for (let i = 0; i < 10_000; i++) main.send(new Uint8Array(1_000));
    expect(main.bufferedBytes).toBeLessThanOrEqual(4_194_304);
    await expect.poll(() => main.bufferedBytes, { timeout: 10_000 }).toBe(0);
    main.send(new Uint8Array(7));
    await expect.poll(() => last).toBe(7);
  });
});

test("a stranger who sends 100,000 forged requests and datagrams changes nothing", async () => {
  for (const protect of [true, false]) {
    const pair = openPair({ ...onLoopback, protect });
    await connect(pair);
    const end = pair.two;
    const got: Uint8Array[] = [];
    end.connection.main.handlers = { onMessage: (message) => got.push(message) };
    const before = await facts();
    const strangers = await Promise.all(Array.from({ length: 4 }, () => openSocket()));
    let answers = 0;
    for (const stranger of strangers) stranger.on("message", () => (answers += 1));
    const ours = end.candidates[0]?.ufrag ?? "";
    const theirs = pair.one.candidates[0]?.ufrag ?? "";
    const port = portOf(end);
    const total = 50_000;
    for (let i = 0; i < total; i++) {
      const stranger = strangers[i % 4] as Socket;
      const packet = i % 2 === 0 ? forgedRequest(i, ours, theirs) : forgedData(i);
      await new Promise((resolve) => stranger.send(packet, port, "127.0.0.1", resolve));
      // The kernel would lose them otherwise, and nothing would be tested.
      if (i % 100 === 99) await expect.poll(seen, { interval: 1 }).toBeGreaterThan(0.99 * i - 50);
    }
    await expect.poll(seen).toBeGreaterThan(0.99 * total);
    expect(await facts()).toEqual(before);
    expect({ got, answers }).toEqual({ got: [], answers: 0 });
    await echo(pair);

    function seen(): number {
      const { unauthenticated, strange } = end.connection.native.counts;
      return unauthenticated + strange;
    }
    async function facts(): Promise<unknown> {
      const { local, remote } = (await end.connection.selectedPair()) ?? {};
      return { local, remote, states: [...end.states], failures: [...end.failures] };
    }
  }
}, 60_000);

describe("an end", () => {
  test("leaves nothing: 50 connections, and those that never came to be", async () => {
    const before = await handles();
    for (let i = 0; i < 50; i++) {
      const pair = openPair({ ...onLoopback, protect: i % 2 === 0 });
      if (i % 5 === 4) void pair.one.connection.offer({ restart: false }).catch(() => {});
      else await connect(pair);
      if (i % 5 === 3) await pair.negotiate({ restart: true });
      pair.close();
    }
    await expect.poll(handles).toBeLessThanOrEqual(before);
  });

  test("while candidates are gathered leaves no socket", async () => {
    const silent = await openSocket();
    const before = await handles();
    const url = `127.0.0.1:${silent.address().port}`;
    const credentials = { username: "u", credential: "p" };
    const pair = openPair({
      ...onLoopback,
      iceServers: [{ urls: `stun:${url}` }, { urls: `turn:${url}`, ...credentials }],
    });
    await pair.one.connection.offer({ restart: false });
    await pair.one.until(() => pair.one.candidates.length > 0);
    // The socket of the candidate, and that to the TURN server.
    await expect.poll(handles).toBeGreaterThan(before + 1);
    pair.close();
    await expect.poll(handles).toBeLessThanOrEqual(before);
  });

  test("of old credentials is one: nobody is answered with them any more", async () => {
    const pair = openPair();
    await connect(pair);
    const port = portOf(pair.two);
    const old = { ours: pair.two.candidates[0]?.ufrag ?? "" };
    for (let i = 0; i < 3; i++) await pair.negotiate({ restart: true });
    await echo(pair);
    const stranger = await openSocket();
    let answers = 0;
    stranger.on("message", () => (answers += 1));
    const { unauthenticated } = pair.two.connection.native.counts;
    stranger.send(forgedRequest(1, old.ours, "x"), port, "127.0.0.1");
    await expect.poll(() => pair.two.connection.native.counts.unauthenticated).toBe(unauthenticated + 1);
    expect(answers).toBe(0);
  });
});

describe("servers", () => {
  test("that do not answer are named, and hold nothing up", async () => {
    const silent = await openSocket();
    const url = `127.0.0.1:${silent.address().port}`;
    const errors: ServerError[] = [];
    const agent = datagram({
      ...onLoopback,
      iceServers: [
        { urls: [`stun:${url}`, "stun:no-such-name.invalid", "http://example.org"] },
        { urls: `turn:${url}`, username: "u", credential: "p" },
        { urls: `turns:${url}`, username: "u", credential: "p" },
        { urls: "turn:127.0.0.1" },
      ],
    });
    const pair = createAgentPair(spied(agent, errors), datagram(onLoopback));
    onTestFinished(() => pair.close());
    await connect(pair);
    await pair.one.until(() => pair.one.completed.length > 0);
    expect(errors.map(({ url: of, code }) => [of, code]).sort()).toEqual(
      [
        [`stun:${url}`, 701],
        ["stun:no-such-name.invalid", 701],
        ["http://example.org", 701],
        [`turn:${url}`, 701],
        [`turns:${url}`, 701],
        ["turn:127.0.0.1", 701],
      ].sort(),
    );
  });
});

function openPair(options: DatagramOptions = onLoopback): AgentPair & {
  readonly one: { readonly connection: { readonly native: DatagramNative } };
  readonly two: { readonly connection: { readonly native: DatagramNative } };
} {
  const pair = createAgentPair(datagram(options), datagram(options));
  onTestFinished(() => pair.close());
  return pair as ReturnType<typeof openPair>;
}

async function connect(pair: AgentPair): Promise<void> {
  await pair.negotiate();
  await pair.connected();
}

/** Without candidates. */
async function restart({ one, two }: AgentPair): Promise<void> {
  await one.connection.accept(await two.connection.answer(await one.connection.offer({ restart: true })));
}

function isSealed(packet: Buffer): boolean {
  return ((packet[0] ?? 0) & 0xf0) === 0xc0;
}

function next(channel: AgentChannel): Promise<Uint8Array> {
  return new Promise((resolve) => {
    channel.handlers = { onMessage: resolve };
  });
}

async function echo({ one, two }: AgentPair): Promise<void> {
  for (const [from, to] of [
    [one, two],
    [two, one],
  ] as const) {
    const message = next(to.connection.main);
    from.connection.main.send(Uint8Array.of(1, 2, 3));
    expect(await message).toEqual(Uint8Array.of(1, 2, 3));
  }
}

function portOf({ candidates }: AgentPair["one"]): number {
  const [first] = candidates;
  if (first === undefined) throw new Error("there is no candidate");
  return first.candidate.port;
}

async function openSocket(port = 0): Promise<Socket> {
  const socket = await bindLoopback(port);
  onTestFinished(() => {
    socket.removeAllListeners("message");
    try {
      socket.close();
    } catch {
      // The test has closed it.
    }
  });
  return socket;
}

/** Sockets and timers of this process, when those of the test before are gone. */
async function handles(): Promise<number> {
  const count = (): number =>
    process.getActiveResourcesInfo().filter((name) => /UDP|TCP|TLS|Timeout|Immediate/.test(name)).length;
  for (let last = -1, now = count(); ; last = now, now = count()) {
    if (last === now) return now;
    await passed(20);
  }
}

/** So many ports in a row that nobody uses at the moment. */
async function freeRange(count: number): Promise<{ min: number; max: number }> {
  const socket = await bindLoopback();
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  const min = Math.min(port, 65_535 - count);
  return { min, max: min + count - 1 };
}

function forgedRequest(i: number, ours: string, theirs: string): Buffer {
  const attributes = [
    [attribute.username, Buffer.from(i % 4 === 0 ? `${ours}:${theirs}` : `x${i}:${theirs}`)],
    [attribute.priority, uint32(i)],
    [i % 8 === 0 ? attribute.iceControlling : attribute.iceControlled, Buffer.alloc(8, 255)],
    [attribute.useCandidate, Buffer.alloc(0)],
  ] as const;
  const id = Buffer.alloc(12);
  id.writeUInt32BE(i, 0);
  return encodeStun({ method: method.binding, kind: "request", id, attributes, key: Buffer.from("a guess") });
}

function forgedData(i: number): Buffer {
  const data = Buffer.alloc(40, i & 255);
  data[0] = i % 3 === 0 ? 0xc0 : 0x04;
  return data;
}

function spied(agent: Agent, errors: ServerError[]): Agent {
  return {
    ...agent,
    hasTurn: agent.hasTurn,
    connect: ({ events, ...rest }) =>
      agent.connect({ ...rest, events: { ...events, onServerError: (error) => errors.push(error) } }),
  };
}

const noEvents = {
  onCandidate() {},
  onCandidatesComplete() {},
  onState() {},
  onNegotiationNeeded() {},
  onChannel() {},
  onServerError() {},
};
