/** The laboratory itself: its networks are what they are called, and what it is made of is gone when it ends, however it ends. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { createLab, labMissing, type Machine } from "../kit/lab/lab.ts";
import { startNode } from "../kit/lab/lab-peers.ts";
import { openHairpin, openHomes, openNeighbours } from "../kit/lab/networks.ts";
import { coneNat, loss, noUdpNat, preservingNat, separatingNat, symmetricNat } from "../kit/lab/rules.ts";
import type { SendCommand } from "../kit/lab/udp-program.ts";
import { spawnLines } from "../kit/lines-process.ts";

const missing = await labMissing(["ip", "nft", "turnserver", "openssl"]);
const program = new URL("../kit/lab/lab.ts", import.meta.url).href;

/** The namespaces of a process's laboratories. */
async function namespacesOf(pid: number): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)("ip", ["netns", "list"]);
  return stdout.split("\n").filter((line) => line.startsWith(`wice-lab-${pid}-`));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

interface NatRow {
  readonly nat: string;
  readonly rules: string;
  /** Whether it has the same port outside for two addresses. */
  readonly keepsPort: boolean;
  /** Who gets in, of those who were not sent anything: another port of an address that was, and another address. */
  readonly letsIn: readonly ("another port" | "another address")[];
}

/** The words of RFC 4787 for them differ: mapping, and filtering. */
const nats: readonly NatRow[] = [
  { nat: "full cone", rules: coneNat("anybody"), keepsPort: true, letsIn: ["another port", "another address"] },
  { nat: "address-restricted", rules: coneNat("whoWasSentTo"), keepsPort: true, letsIn: ["another port"] },
  { nat: "port-restricted", rules: preservingNat, keepsPort: true, letsIn: [] },
  { nat: "symmetric", rules: symmetricNat, keepsPort: false, letsIn: [] },
];

describe("its NATs", () => {
  test.for(nats)("$nat: maps and lets in as its name says", async ({ rules, keepsPort, letsIn }, { skip }) => {
    if (missing !== undefined) return skip(missing);
    await using network = await openHomes({ left: rules, right: preservingNat });
    // The internet has an address beside its server.
    const [known, other] = ["203.0.113.1", 9_003];
    const [inside, outside, stranger] = await Promise.all([
      openSockets(network.left, "0.0.0.0", 9_000),
      openSockets(network.internet, known, 9_001, 9_002, other),
      openSockets(network.right, "0.0.0.0", 9_000),
    ]);
    // Its way is as good as any from here on: what does not come is not on the way.
    await stranger.send(9_000, "hello", 9_001, known);
    await outside.heard(9_001, "hello");
    // Before anything was sent, nobody gets in.
    await outside.send(9_001, "too early", 9_000, "198.51.100.2");
    for (const port of [9_001, 9_002]) await inside.send(9_000, "from inside", port, known);
    const ports = [(await outside.heard(9_001, "from inside")).port, (await outside.heard(9_002, "from inside")).port];
    expect(ports[0] === ports[1]).toBe(keepsPort);

    const [port = 0] = ports;
    await outside.send(other, "another port", port, "198.51.100.2");
    await stranger.send(9_000, "another address", port, "198.51.100.2");
    for (const text of letsIn) await inside.heard(9_000, text);
    await outside.send(9_001, "answer", port, "198.51.100.2");
    await inside.heard(9_000, "answer");
    expect(inside.texts().toSorted()).toEqual([...letsIn, "answer"].toSorted());
  });

  test("no hairpin: two networks behind one do not reach each other, inside or by the address outside", async ({
    skip,
  }) => {
    if (missing !== undefined) return skip(missing);
    await using network = await openNeighbours(separatingNat);
    const known = "203.0.113.1";
    const [left, right, outside] = await Promise.all([
      openSockets(network.left, "0.0.0.0", 9_000),
      openSockets(network.right, "0.0.0.0", 9_000),
      openSockets(network.internet, known, 9_001),
    ]);
    await right.send(9_000, "hello", 9_001, known);
    const { port, address } = await outside.heard(9_001, "hello");
    await left.send(9_000, "inside", 9_000, "10.1.0.2");
    await left.send(9_000, "outside", port, address);
    await left.send(9_000, "hello too", 9_001, known);
    await outside.heard(9_001, "hello too");
    await outside.send(9_001, "answer", port, address);
    await right.heard(9_000, "answer");
    expect(right.texts()).toEqual(["answer"]);
  });

  test("hairpin: the two reach each other by their addresses outside, and by no others", async ({ skip }) => {
    if (missing !== undefined) return skip(missing);
    await using network = await openHairpin();
    const [left, right] = await Promise.all([
      openSockets(network.left, "0.0.0.0", 9_000),
      openSockets(network.right, "0.0.0.0", 9_000),
    ]);
    await left.send(9_000, "inside", 9_000, "10.1.0.2");
    await left.send(9_000, "outside", 9_000, "198.51.100.11");
    expect(await right.heard(9_000, "outside")).toMatchObject({ address: "198.51.100.10" });
    expect(right.texts()).toEqual(["outside"]);
  });

  test("no UDP: nothing gets out", async ({ skip }) => {
    if (missing !== undefined) return skip(missing);
    await using network = await openHomes({ left: noUdpNat, right: preservingNat });
    const known = "203.0.113.1";
    const [left, right, outside] = await Promise.all([
      openSockets(network.left, "0.0.0.0", 9_000),
      openSockets(network.right, "0.0.0.0", 9_000),
      openSockets(network.internet, known, 9_001),
    ]);
    await left.send(9_000, "from left", 9_001, known);
    await right.send(9_000, "from right", 9_001, known);
    await outside.heard(9_001, "from right");
    expect(outside.texts()).toEqual(["from right"]);
  });
});

describe("a laboratory", () => {
  test("leaves neither namespaces nor processes behind, also when a test fails", async ({ skip }) => {
    if (missing !== undefined) return skip(missing);
    let pid = 0;
    const failing = async (): Promise<void> => {
      await using lab = await createLab();
      const machine = await lab.machine("doomed");
      ({ pid } = await machine.start("sleep", ["1000"]));
      expect(await namespacesOf(process.pid)).toHaveLength(1);
      throw new Error("as a test does");
    };
    await expect(failing()).rejects.toThrow("as a test does");
    expect(await namespacesOf(process.pid)).toEqual([]);
    expect(isAlive(pid)).toBe(false);
  });

  test("removes what a test run that was killed has left", async ({ skip }) => {
    if (missing !== undefined) return skip(missing);
    const code = `
      const { createLab } = await import(${JSON.stringify(program)});
      const lab = await createLab();
      const machine = await lab.machine("orphan");
      const { pid } = await machine.start("sleep", ["1000"]);
      console.log(JSON.stringify({ event: "started", pid }));
      await new Promise((resolve) => setTimeout(resolve, 1_000_000));`;
    const run = await spawnLines(process.execPath, ["--conditions=@wice/source", "--input-type=module", "-e", code]);
    const [started] = await run.until("started");
    await run.kill();
    const orphan = Number(started?.pid);
    expect([await namespacesOf(run.pid), isAlive(orphan)]).toEqual([[expect.any(String)], true]);
    await using _ = await createLab();
    expect(await namespacesOf(run.pid)).toEqual([]);
    // It is nobody's child any more, and the machine takes its time to bury it.
    await expect.poll(() => isAlive(orphan), { timeout: 30_000 }).toBe(false);
  });

  test("loses about as many packets as it is told", async ({ skip }) => {
    if (missing !== undefined) return skip(missing);
    await using lab = await createLab();
    const [one, between, other] = [await lab.machine("one"), await lab.machine("between"), await lab.machine("other")];
    await lab.cable(
      { machine: one, name: "eth0", addresses: ["192.0.2.2/24"] },
      { machine: between, name: "one", addresses: ["192.0.2.1/24"] },
    );
    await lab.cable(
      { machine: other, name: "eth0", addresses: ["198.51.100.2/24"] },
      { machine: between, name: "other", addresses: ["198.51.100.1/24"] },
    );
    await one.routeBy("192.0.2.1");
    await other.routeBy("198.51.100.1");
    await between.rules(loss(20));
    const receiver = await other.start(process.execPath, ["-e", receive]);
    await receiver.until("ready");
    const sender = await one.start(process.execPath, ["-e", send]);
    await sender.until("sent");
    const [{ count } = { count: 0 }] = await receiver.until("received");
    // Of 1,000; five standard deviations are 63, and a busy machine may lose some more.
    expect(Number(count)).toBeLessThan(865);
    expect(Number(count)).toBeGreaterThan(650);
  });
});

interface Sockets {
  /** Resolves when it has left. */
  send(at: number, text: string, port: number, address: string): Promise<void>;
  /** Resolves with where it came from. */
  heard(at: number, text: string): Promise<{ readonly port: number; readonly address: string }>;
  /** All that was heard so far. */
  texts(): readonly unknown[];
}

async function openSockets(machine: Machine, address: string, ...ports: readonly number[]): Promise<Sockets> {
  const program = await startNode(machine, "./udp-program.ts", [address, ...ports.map(String)]);
  await program.until("ready");
  let sent = 0;
  return {
    async send(at, text, port, to) {
      sent += 1;
      const id = sent;
      program.write({ do: "send", id, at, text, port, address: to } satisfies SendCommand);
      await program.until("sent", (line) => line.id === id);
    },
    async heard(at, text) {
      const [line] = await program.until("heard", (each) => each.at === at && each.text === text);
      return { port: Number(line?.port), address: String(line?.address) };
    },
    texts: () => program.find("heard").map(({ text }) => text),
  };
}

/** Counts datagrams until one says that no others come; that one is sent again and again. */
const receive = `
  let count = 0;
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (message) => {
    if (message.length === 1) count += 1;
    else { console.log(JSON.stringify({ event: "received", count })); socket.close(); }
  });
  socket.bind(9000, () => console.log(JSON.stringify({ event: "ready" })));`;

const send = `
  const socket = require("node:dgram").createSocket("udp4");
  const to = (bytes) => new Promise((resolve) => socket.send(Buffer.alloc(bytes), 9000, "198.51.100.2", resolve));
  (async () => {
    for (let n = 0; n < 1000; n++) {
      await to(1);
      if (n % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    for (let n = 0; n < 50; n++) await to(2);
    console.log(JSON.stringify({ event: "sent" }));
    socket.close();
  })();`;
