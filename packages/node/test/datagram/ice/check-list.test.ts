import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Base } from "../../../src/datagram/ice/base.ts";
import { attribute, encodeStun, method, type StunContent, uint32 } from "../../../src/datagram/ice/stun-message.ts";
import {
  createSimulatedNet,
  deliver,
  type SimulatedEnd,
  type SimulatedNet,
  type SimulatedNetOptions,
} from "../support/simulated-net.ts";

const bothRoles = [
  ["controlling", "controlled"],
  ["controlled", "controlling"],
] as const;

const isConnected = ({ one, two }: SimulatedNet): boolean =>
  one.list.path === "connected" && two.list.path === "connected";

/** Lets time pass until it is so; returns how much did. */
async function until(net: SimulatedNet, isSo: () => boolean, mostMs = 60_000): Promise<number> {
  const since = net.clock.now();
  while (!isSo()) {
    if (net.clock.now() - since > mostMs) throw new Error(`not within ${mostMs} ms`);
    await net.clock.advance(5);
  }
  return net.clock.now() - since;
}

async function connected(options: SimulatedNetOptions = {}): Promise<SimulatedNet> {
  const net = createSimulatedNet(options);
  net.begin();
  await until(net, () => isConnected(net));
  return net;
}

const remoteOf = ({ list }: SimulatedNet["one"]): string | undefined => list.selected?.remote.address;

describe("finding a path", () => {
  test("takes three round trips at most", async () => {
    const net = createSimulatedNet({ delayMs: 20 });
    net.begin();
    expect(await until(net, () => isConnected(net))).toBeLessThanOrEqual(3 * 40 + 5);
    expect([remoteOf(net.one), remoteOf(net.two)]).toEqual(["10.0.0.2", "10.0.0.1"]);
  });

  test.each(bothRoles)("begins when the %s side hears of the other seconds later", async (...roles) => {
    const net = createSimulatedNet({ roles });
    net.one.begin(net.two);
    await net.clock.advance(3_000);
    expect(isConnected(net)).toBe(false);
    net.two.begin(net.one);
    expect(await until(net, () => isConnected(net))).toBeLessThan(150);
  });

  test.each(bothRoles)("begins at once when the %s side has heard of the other a moment before", async (...roles) => {
    for (let headStartMs = 5; headStartMs <= 50; headStartMs += 5) {
      const net = createSimulatedNet({ roles, delayMs: 2 });
      net.one.begin(net.two);
      await net.clock.advance(headStartMs);
      net.two.begin(net.one);
      expect(await until(net, () => isConnected(net)), `${headStartMs} ms`).toBeLessThan(100);
    }
  });

  test.each(bothRoles)("needs the candidates of one side only, the %s one's", async (...roles) => {
    const net = createSimulatedNet({ roles });
    net.one.list.setRemote(net.two.list.local);
    net.two.begin(net.one);
    expect(await until(net, () => isConnected(net))).toBeLessThan(600);
    expect(net.one.list.selected?.remote.type).toBe("prflx");
  });

  test.each(bothRoles)("takes candidates before credentials, when we are %s", async (...roles) => {
    const net = createSimulatedNet({ roles });
    net.one.list.addCandidates(net.two.bases.map(({ candidate }) => candidate));
    await net.clock.advance(1_000);
    expect(net.sent).toBe(0);
    net.one.list.setRemote(net.two.list.local);
    net.two.list.setRemote(net.one.list.local);
    expect(await until(net, () => isConnected(net))).toBeLessThan(600);
  });

  test("comes in spite of 20 and 40 % loss", async () => {
    for (const [loss, mostMs] of [
      [0.2, 3_000],
      [0.4, 8_000],
    ] as const) {
      for (let seed = 1; seed <= 60; seed++) {
        const net = createSimulatedNet({ loss, seed });
        net.begin();
        await until(net, () => isConnected(net), mostMs);
      }
    }
  });

  test.each(bothRoles)("comes after the way was dead for 3 s, when we are %s", async (...roles) => {
    const net = createSimulatedNet({ roles });
    net.passes = () => net.clock.now() > 3_000;
    net.begin();
    expect(await until(net, () => isConnected(net))).toBeLessThan(4_000);
  });

  test("takes the best pair that answers, and the direct one before a relay", async () => {
    const places = [{ address: "10.0.1.1", type: "relay", priority: 16_777_215 }, { address: "10.0.0.1" }] as const;
    const net = await connected({ one: places, two: [{ address: "10.0.0.2" }] });
    expect(net.one.list.selected?.base.candidate.address).toBe("10.0.0.1");
    expect(remoteOf(net.two)).toBe("10.0.0.1");
  });

  test("takes the relay where nothing else answers", async () => {
    const net = createSimulatedNet({
      one: [{ address: "10.0.0.1" }, { address: "10.0.1.1", type: "relay", priority: 16_777_215 }],
    });
    net.passes = (from, to) => from !== "10.0.0.1" && to !== "10.0.0.1";
    net.begin();
    expect(await until(net, () => isConnected(net))).toBeLessThan(1_500);
    expect(net.one.list.selected?.base.candidate.type).toBe("relay");
  });

  test("pairs a base that comes after the candidates of the peer", async () => {
    const net = createSimulatedNet({ one: [{ address: "10.0.0.1" }, { address: "10.0.0.3" }] });
    const [first, late] = net.one.bases as [Base, Base];
    net.one.list.dropBase(late);
    net.passes = (from, to) => ![from, to].includes(first.candidate.address);
    net.one.begin(net.two);
    net.two.list.setRemote(net.one.list.local);
    await net.clock.advance(2_000);
    net.one.list.addBase(late);
    expect(await until(net, () => isConnected(net))).toBeLessThan(600);
  });

  test("has failed after 25 s, when there is none, and has not said so before", async () => {
    const net = createSimulatedNet();
    net.passes = () => false;
    net.begin();
    await net.clock.advance(24_000);
    expect(net.one.states).toEqual([]);
    await net.clock.advance(2_000);
    expect([net.one.list.path, net.two.list.path]).toEqual(["failed", "failed"]);
    const { sent } = net;
    await net.clock.advance(60_000);
    expect(net.sent).toBe(sent);
  });

  test("costs 100 packets a second at most, however many candidates lead nowhere", async () => {
    const net = createSimulatedNet();
    net.passes = () => false;
    net.one.list.setRemote(net.two.list.local);
    const [{ candidate }] = net.two.bases as [Base];
    for (let i = 0; i < 500; i++) net.one.list.addCandidates([{ ...candidate, address: `10.1.${i >> 8}.${i & 255}` }]);
    await net.clock.advance(20_000);
    expect(net.sent).toBeLessThanOrEqual(20 * 101);
  });

  test("leaves out what is no place to send packets to", async () => {
    const net = createSimulatedNet();
    net.one.list.setRemote(net.two.list.local);
    const [{ candidate }] = net.two.bases as [Base];
    for (const address of [
      "0.0.0.0",
      "224.0.0.1",
      "239.1.2.3",
      "255.255.255.255",
      "ff02::1",
      "::",
      "host.local",
      "a.example",
    ])
      net.one.list.addCandidates([{ ...candidate, address }]);
    net.one.list.addCandidates([{ ...candidate, port: 0 }]);
    net.one.list.addCandidates([{ ...candidate, protocol: "tcp" }]);
    net.one.list.addCandidates([{ ...candidate, component: 2 }]);
    await net.clock.advance(5_000);
    expect(net.sent).toBe(0);
  });
});

describe("watching a path", () => {
  test("notices within 6 s that the peer is dead, and gives up after 15 s to 20 s", async () => {
    const net = await connected();
    await net.clock.advance(60_000);
    expect(net.one.states.map(({ path }) => path)).toEqual(["connected"]);
    net.two.list.close();
    net.passes = () => false;
    expect(await until(net, () => net.one.list.path === "disconnected")).toBeLessThan(6_000);
    expect(await until(net, () => net.one.list.path === "failed")).toBeLessThan(16_000);
  });

  test("keeps quiet: less than one packet a second from each side", async () => {
    const net = await connected();
    const { sent } = net;
    await net.clock.advance(600_000);
    expect((net.sent - sent) / 600).toBeLessThan(3);
    expect(isConnected(net)).toBe(true);
  });

  test("takes 20 % loss for no end, for an hour", async () => {
    const net = await connected({ loss: 0.2, seed: 7 });
    await net.clock.advance(3_600_000);
    expect(net.one.states).toHaveLength(1);
    expect(net.two.states).toHaveLength(1);
  });

  test("comes back by itself when the way does", async () => {
    const net = await connected();
    net.passes = () => false;
    await until(net, () => net.one.list.path === "disconnected" && net.two.list.path === "disconnected");
    net.passes = () => true;
    expect(await until(net, () => isConnected(net))).toBeLessThan(1_500);
  });

  test("takes another pair when the one in use dies", async () => {
    const net = await connected({ one: [{ address: "10.0.0.1" }, { address: "10.0.0.3" }] });
    expect(remoteOf(net.two)).toBe("10.0.0.1");
    net.passes = (from, to) => from !== "10.0.0.1" && to !== "10.0.0.1";
    await until(net, () => net.one.list.path === "disconnected");
    expect(await until(net, () => isConnected(net) && remoteOf(net.two) === "10.0.0.3")).toBeLessThan(3_000);
  });

  test("gives up a base that is gone, when nothing takes its place", async () => {
    const net = await connected();
    net.one.list.dropBase(net.one.bases[0] as Base);
    expect(await until(net, () => net.one.list.path === "disconnected")).toBeLessThan(6_000);
    expect(await until(net, () => net.one.list.path === "failed")).toBeLessThan(16_000);
    await net.clock.advance(10_000);
  });

  test("takes a sleep of the machine for no end of the path", async () => {
    const net = await connected();
    // Both sleep: timers come late, and one by one.
    const { now } = net.clock;
    let asleepMs = 0;
    Object.assign(net.clock, { now: () => now() + asleepMs });
    asleepMs = 3_600_000;
    await net.clock.advance(30_000);
    expect(net.one.states.map(({ path }) => path)).toEqual(["connected"]);
  });
});

describe("whoever has no credentials", () => {
  test("gets no answer, and changes nothing", async () => {
    const net = await connected();
    const before = { pair: net.one.list.selected, states: [...net.one.states] };
    const { ufrag } = net.one.list.local;
    const theirs = net.two.list.local.ufrag;
    const [base] = net.one.bases as [Base];
    const forgeries: Partial<StunContent>[] = [
      {},
      { key: randomBytes(32) },
      { key: Buffer.from(net.two.list.local.pwd) },
      { attributes: [[attribute.username, Buffer.from(`${ufrag}:${theirs}`)]] },
      { attributes: [], key: Buffer.from(net.one.list.local.pwd) },
      // Of somebody who had the credentials of another generation.
      { attributes: [...requestOf(ufrag, "somebody")], key: Buffer.from(net.one.list.local.pwd) },
    ];
    for (const forgery of forgeries) {
      const packet = encodeStun({
        ...{ method: method.binding, kind: "request", id: randomBytes(12), attributes: requestOf(ufrag, theirs) },
        ...forgery,
      });
      const { sent } = net;
      expect(deliver(net.one.list, base, packet, "10.9.9.9", 9)).toBe(false);
      expect(net.sent).toBe(sent);
      expect(net.one.list.trusts(base, "10.9.9.9", 9)).toBe(false);
    }
    await net.clock.advance(10_000);
    expect({ pair: net.one.list.selected, states: net.one.states }).toEqual(before);
  });

  test("cannot add to what was signed: neither a nomination nor a role", async () => {
    const net = createSimulatedNet({ roles: ["controlled", "controlling"] });
    net.one.begin(net.two);
    const [base] = net.one.bases as [Base];
    const signed = encodeStun({
      ...{ method: method.binding, kind: "request", id: randomBytes(12) },
      attributes: requestOf(net.one.list.local.ufrag, net.two.list.local.ufrag),
      key: Buffer.from(net.one.list.local.pwd),
    });
    // Without the fingerprint, with another attribute behind the signature.
    const altered = Buffer.concat([signed.subarray(0, -8), Buffer.from([0, attribute.useCandidate, 0, 0])]);
    altered.writeUInt16BE(altered.length - 20, 2);
    expect(deliver(net.one.list, base, altered, "10.0.0.2", 4_000)).toBe(true);
    net.two.list.setRemote(net.one.list.local);
    net.passes = (_, to) => to !== "10.0.0.1" || net.clock.now() > 2_000;
    await net.clock.advance(1_000);
    expect(net.one.list.path).toBe("new");
  });

  test("cannot become the peer by what the peer has signed, sent again from elsewhere", async () => {
    const net = createSimulatedNet({ roles: ["controlled", "controlling"] });
    const [base] = net.one.bases as [Base];
    const recorded: Buffer[] = [];
    const [theirs] = net.two.bases as [Base];
    const { send } = theirs;
    Object.assign(theirs, {
      send(packet: Buffer, address: string, port: number) {
        if (packet.readUInt16BE(0) === 0x0001) recorded.push(Buffer.from(packet));
        send(packet, address, port);
      },
    });
    net.begin();
    await until(net, () => isConnected(net));
    const before = net.one.list.selected;
    const nomination = recorded.at(-1) as Buffer;
    expect(nomination.includes(Buffer.from([0, attribute.useCandidate, 0, 0]))).toBe(true);
    const { sent } = net;
    const total = 1_000;
    for (let i = 0; i < total; i++) {
      deliver(net.one.list, base, nomination, `10.7.${i >> 8}.${i & 255}`, 9);
      expect(net.one.list.trusts(base, `10.7.${i >> 8}.${i & 255}`, 9)).toBe(false);
    }
    // Each gets an answer that is not larger than what came, and next to none of them a check.
    expect(net.sent - sent).toBeLessThanOrEqual(total + 1);
    await net.clock.advance(60_000);
    expect(net.one.list.selected).toBe(before);
    expect(net.one.states.map(({ path }) => path)).toEqual(["connected"]);
  });

  test("does not keep the peer from being found where it says that it is, by saying that it is everywhere", async () => {
    const net = createSimulatedNet({
      one: [{ address: "10.0.0.1" }],
      two: [{ address: "10.0.0.2", type: "relay", priority: 16_777_215 }],
    });
    net.one.begin(net.two);
    const [base] = net.one.bases as [Base];
    for (let i = 0; i < 1_000; i++)
      deliver(net.one.list, base, nominationFor(net.one, net.two), `10.7.${i >> 8}.${i & 255}`, 9);
    net.two.begin(net.one);
    expect(await until(net, () => isConnected(net))).toBeLessThan(2_000);
    expect(remoteOf(net.one)).toBe("10.0.0.2");
  });

  test("does not lead us to a way that has answered once, and does not any more", async () => {
    const places = [{ address: "10.0.0.1" }, { address: "10.0.0.3" }];
    const net = await connected({ roles: ["controlled", "controlling"], two: places, one: [{ address: "10.0.0.2" }] });
    await net.clock.advance(10_000);
    expect(remoteOf(net.one)).toBe("10.0.0.1");
    net.passes = (from, to) => from !== "10.0.0.3" && to !== "10.0.0.3";
    const [base] = net.one.bases as [Base];
    for (let i = 0; i < 20; i++) {
      deliver(net.one.list, base, nominationFor(net.one, net.two), "10.0.0.3", 4_001);
      await net.clock.advance(1_000);
      expect(remoteOf(net.one)).toBe("10.0.0.1");
    }
    expect(net.one.states.map(({ path }) => path)).toEqual(["connected"]);
  });

  test("answers nothing in the peer's place", async () => {
    const net = createSimulatedNet();
    const [base] = net.one.bases as [Base];
    const ids: Buffer[] = [];
    const { send } = base;
    Object.assign(base, {
      send(packet: Buffer, address: string, port: number) {
        ids.push(Buffer.from(packet.subarray(8, 20)));
        send(packet, address, port);
      },
    });
    net.passes = () => false;
    net.one.begin(net.two);
    await net.clock.advance(500);
    expect(ids.length).toBeGreaterThan(2);
    for (const id of ids) {
      const content = { method: method.binding, kind: "success", id, attributes: [] } as const;
      for (const key of [undefined, randomBytes(32), Buffer.from(net.one.list.local.pwd)])
        expect(deliver(net.one.list, base, encodeStun({ ...content, key }), "10.0.0.2", 4_000)).toBe(false);
      const right = encodeStun({ ...content, key: Buffer.from(net.two.list.local.pwd) });
      expect(deliver(net.one.list, base, right, "10.0.0.9", 4_000)).toBe(false);
    }
    expect(net.one.list.trusts(base, "10.0.0.2", 4_000)).toBe(false);
  });
});

test("the role is that of the keys: a peer of the same role is told so, and we keep ours", async () => {
  const net = createSimulatedNet({ roles: ["controlled", "controlled"] });
  net.begin();
  await net.clock.advance(5_000);
  expect([net.one.list.path, net.two.list.path]).toEqual(["new", "new"]);
  const [base] = net.one.bases as [Base];
  const answers: Buffer[] = [];
  Object.assign(base, { send: (packet: Buffer) => void answers.push(packet) });
  const request = encodeStun({
    ...{ method: method.binding, kind: "request", id: randomBytes(12) },
    attributes: [
      ...requestOf(net.one.list.local.ufrag, net.two.list.local.ufrag),
      [attribute.iceControlled, randomBytes(8)],
    ],
    key: Buffer.from(net.one.list.local.pwd),
  });
  expect(deliver(net.one.list, base, request, "10.0.0.2", 4_000)).toBe(true);
  expect(answers[0]?.readUInt16BE(0)).toBe(0x0111);
});

test("nothing grows, and a closed list leaves no timer", async () => {
  const net = await connected();
  net.one.list.close();
  net.two.list.close();
  expect(net.clock.pending).toBe(0);
});

/** As the peer could have sent it. */
function nominationFor({ list }: SimulatedEnd, from: SimulatedEnd): Buffer {
  return encodeStun({
    ...{ method: method.binding, kind: "request", id: randomBytes(12) },
    attributes: [...requestOf(list.local.ufrag, from.list.local.ufrag), [attribute.useCandidate, Buffer.alloc(0)]],
    key: Buffer.from(list.local.pwd),
  });
}

function requestOf(ufrag: string, theirs: string): StunContent["attributes"] {
  return [
    [attribute.username, Buffer.from(`${ufrag}:${theirs}`)],
    // As RFC 8445 has it for an address that was not known.
    [attribute.priority, uint32(110 * 2 ** 24)],
  ];
}
