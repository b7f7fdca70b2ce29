/** The laboratory itself: what it is made of is gone when it ends, however it ends. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { createLab, labMissing } from "../kit/lab/lab.ts";
import { openHairpin } from "../kit/lab/networks.ts";
import { loss } from "../kit/lab/rules.ts";
import { spawnLines } from "../kit/lines-process.ts";

const missing = await labMissing(["ip", "nft", "turnserver"]);
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

describe("its network with a hairpin", () => {
  test("lets the two reach each other by their addresses outside, and by no others", async ({ skip }) => {
    if (missing !== undefined) return skip(missing);
    await using network = await openHairpin();
    const receiver = await network.right.start(process.execPath, ["-e", receiveTexts]);
    await receiver.until("ready");
    const sender = await network.left.start(process.execPath, ["-e", sendTexts, "10.1.0.2", "198.51.100.11"]);
    await sender.until("sent");
    const [heard] = await receiver.until("heard", ({ text }) => text === "198.51.100.11");
    expect(heard).toMatchObject({ from: "198.51.100.10" });
    expect(receiver.find("heard", ({ text }) => text !== "198.51.100.11")).toEqual([]);
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

const receiveTexts = `
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (text, { address }) =>
    console.log(JSON.stringify({ event: "heard", text: String(text), from: address })));
  socket.bind(9000, () => console.log(JSON.stringify({ event: "ready" })));`;

/** Sends to each address its name, the same number of times and in turn, so that the last to come tells of all. */
const sendTexts = `
  const socket = require("node:dgram").createSocket("udp4");
  const to = (address) => new Promise((resolve) => socket.send(address, 9000, address, resolve));
  (async () => {
    for (let n = 0; n < 5; n++) for (const address of process.argv.slice(1)) await to(address);
    console.log(JSON.stringify({ event: "sent" }));
    socket.close();
  })();`;

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
