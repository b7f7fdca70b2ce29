/** `wice connect --udp` and `wice listen --udp`: a program's datagrams over a session. */

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createScene, orEnd, runWice, type Scene, startRelay, startWice, type WiceProcess } from "./wice-process.ts";

let scene: Scene;
let relay: Awaited<ReturnType<typeof startRelay>>;

beforeAll(async () => {
  [scene, relay] = await Promise.all([createScene(), startRelay()]);
});
afterAll(async () => {
  await relay[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

interface Program {
  readonly socket: Socket;
  readonly port: number;
  readonly heard: string[];
}

async function program(address = "127.0.0.1"): Promise<Program> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const heard: string[] = [];
  socket.on("message", (datagram) => heard.push(datagram.toString()));
  socket.bind(0, address);
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return { socket, port: socket.address().port, heard };
}

async function freePort(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

async function portOf(wice: WiceProcess): Promise<number> {
  const [, port] = await orEnd(wice, wice.until("stderr", /what is sent to \S+:(\d+) \(UDP\)/));
  return Number(port);
}

describe("datagrams of programs", () => {
  test.each(["connect", "listen"] as const)("go both ways, when that of %s speaks first", async (first) => {
    const [alice, bob] = await Promise.all([scene.key(`udp-${first}-a`), scene.key(`udp-${first}-b`)]);
    const [one, two] = [await program(), await program()];
    const relayed = ["--relay", relay.url];
    await using listening = await startWice([
      "listen",
      "--key",
      bob.file,
      ...relayed,
      "--udp",
      `127.0.0.1:${two.port}`,
    ]);
    const bobs = await portOf(listening);
    await using calling = await startWice([
      ...["connect", bob.publicKey, "--key", alice.file, ...relayed, "--udp", `127.0.0.1:${one.port}`],
    ]);
    const alices = await portOf(calling);
    const [speaker, entrance, other, back] = first === "connect" ? [one, alices, two, bobs] : [two, bobs, one, alices];
    // Before there is a session: it is the first word of the program's that counts.
    speaker.socket.send("first", entrance, "127.0.0.1");
    await expect.poll(() => other.heard, { timeout: 15_000 }).toEqual(["first"]);
    other.socket.send("second", back, "127.0.0.1");
    await expect.poll(() => speaker.heard, { timeout: 5_000 }).toEqual(["second"]);
    // Empty, and as large as WireGuard's largest.
    speaker.socket.send("", entrance, "127.0.0.1");
    speaker.socket.send("x".repeat(1_452), entrance, "127.0.0.1");
    await expect.poll(() => other.heard.slice(1), { timeout: 5_000 }).toEqual(["", "x".repeat(1_452)]);
    // Neither is told that the other lacks --udp.
    for (const { stderr } of [calling, listening]) expect(stderr).not.toContain("WebRTC");
    calling.kill("SIGINT");
    expect((await calling.ended).code).toBe(130);
    await orEnd(
      listening,
      listening.until("stderr", /closed the session \(interrupted\); the next call is waited for/),
    );
    listening.kill("SIGTERM");
    expect((await listening.ended).code).toBe(143);
  });

  test.each(["connect", "listen"] as const)(
    "go on when the %s of one side is stopped and started again",
    async (which) => {
      const [alice, bob] = await Promise.all([scene.key(`again-${which}-a`), scene.key(`again-${which}-b`)]);
      const [one, two] = [await program(), await program()];
      const [alices, bobs] = [await freePort(), await freePort()];
      const common = ["--relay", relay.url, "--agent", "datagram", "--udp"];
      const commands = {
        connect: ["connect", bob.publicKey, "--key", alice.file, ...common, `${alices}:127.0.0.1:${one.port}`],
        listen: ["listen", "--key", bob.file, ...common, `${bobs}:127.0.0.1:${two.port}`],
      };
      await using first = await startWice(commands[which]);
      await using other = await startWice(commands[which === "listen" ? "connect" : "listen"]);
      const says = async (word: string): Promise<void> => {
        const again = setInterval(() => one.socket.send(word, alices, "127.0.0.1"), 100);
        await expect.poll(() => two.heard, { timeout: 30_000 }).toContain(word);
        clearInterval(again);
      };
      await says("before");
      first.kill("SIGTERM");
      expect((await first.ended).code).toBe(143);
      await using second = await startWice(commands[which]);
      await says("after");
      expect(second.stderr).toContain("connected");
      expect(other.stderr.match(/connected/g)).toHaveLength(2);
    },
  );

  test("come in at the port that was asked for, and over WebRTC where that is wanted", async () => {
    const [alice, bob] = await Promise.all([scene.key("udp-rtc-a"), scene.key("udp-rtc-b")]);
    const [one, two] = [await program(), await program()];
    const free = await freePort();
    const options = ["--relay", relay.url, "--agent", "rtc"];
    await using listening = await startWice([
      ...["listen", "--key", bob.file, ...options, "--udp", `127.0.0.1:${two.port}`],
    ]);
    await portOf(listening);
    await using calling = await startWice([
      ...["connect", bob.publicKey, "--key", alice.file, ...options, "--udp", `${free}:127.0.0.1:${one.port}`],
    ]);
    expect(await portOf(calling)).toBe(free);
    one.socket.send("over rtc", free, "127.0.0.1");
    await expect.poll(() => two.heard, { timeout: 15_000 }).toEqual(["over rtc"]);
  });
});

test("a stream goes over datagrams where nothing else is wanted, with a warning", async () => {
  const [alice, bob] = await Promise.all([scene.key("stream-a"), scene.key("stream-b")]);
  const options = ["--relay", relay.url, "--agent", "datagram"];
  await using listening = await startWice(["listen", "--key", bob.file, ...options]);
  await orEnd(listening, listening.until("stderr", /listening as/));
  const calling = await runWice(["connect", bob.publicKey, "--key", alice.file, ...options], { input: "a few words" });
  expect(calling).toMatchObject({ code: 0, stderr: expect.stringContaining("pieces may get lost") });
  expect((await listening.ended).code).toBe(0);
  expect(listening.stdout).toBe("a few words");
});

test("a program that says nothing is told of, once, and so is a peer that has no --udp", async () => {
  const [alice, bob] = await Promise.all([scene.key("silent-a"), scene.key("silent-b")]);
  const one = await program();
  const options = ["--relay", relay.url, "--udp"];
  await using listening = await startWice(["listen", "--key", bob.file, ...options, "127.0.0.1:9"]);
  const bobs = await portOf(listening);
  await using calling = await startWice([
    ...["connect", bob.publicKey, "--key", alice.file, ...options, `127.0.0.1:${one.port}`],
  ]);
  const alices = await portOf(calling);
  await orEnd(calling, calling.until("stderr", /connected/));
  const again = setInterval(() => one.socket.send("hello?", alices, "127.0.0.1"), 100);
  onTestFinished(() => clearInterval(again));
  const said = `nothing has come from 127.0.0.1:9 so far (check that the program is there, and that it sends to 127.0.0.1:${bobs})`;
  await expect.poll(() => listening.stderr, { timeout: 15_000 }).toContain(said);
  expect(calling.stderr).not.toContain("nothing has come");
  calling.kill("SIGTERM");
  await calling.ended;
  // By WebRTC, which both have; what comes is no datagram of a program.
  await using streaming = await startWice(["connect", bob.publicKey, "--key", alice.file, "--relay", relay.url]);
  await orEnd(streaming, listening.until("stderr", /over WebRTC \(both sides need --udp/));
  expect(listening.stderr.match(/nothing has come/g)).toHaveLength(1);
});

test("sides of which one has --udp, and the other not, say what to do", async () => {
  const [alice, bob] = await Promise.all([scene.key("uneven-a"), scene.key("uneven-b")]);
  const options = ["--relay", relay.url, "--agent", "datagram"];
  await using listening = await startWice(["listen", "--key", bob.file, ...options]);
  await orEnd(listening, listening.until("stderr", /listening as/));
  await using calling = await startWice([
    ...["connect", bob.publicKey, "--key", alice.file, ...options, "--udp", "127.0.0.1:9"],
  ]);
  const said = /no agent in common.*\(.* --udp on both, or on neither\)/;
  await orEnd(calling, calling.until("stderr", said));
  await orEnd(listening, listening.until("stderr", said));
});

test.each([
  ["51820", /--udp: write \[LISTEN_PORT:\]HOST:PORT/],
  ["127.0.0.1:0", /--udp: 0 is no port; write/],
  ["70000:127.0.0.1:1", /--udp: 70000 is no port; write/],
  ["1.2.3:9", /--udp: 1\.2\.3 is no address/],
  ["51900:::1:51820", /--udp: an IPv6 address stands in brackets; write/],
  ["51820:localhost:51820", /--udp: LISTEN_PORT is ours and PORT the program's, so they differ; write/],
])("--udp %s is refused in one line", async (udp, line) => {
  const { file } = await scene.key(`bad-${udp.length}`);
  const { code, stderr } = await runWice(["listen", "--udp", udp, "--key", file, "--relay", "http://127.0.0.1:9"], {
    input: "",
  });
  expect(code).toBe(2);
  expect(stderr).toMatch(line);
  expect(stderr.trim().split("\n")).toHaveLength(1);
});

test("a port that is taken is named", async () => {
  const taken = await program();
  const { file } = await scene.key("taken");
  const udp = `${taken.port}:127.0.0.1:9`;
  const { code, stderr } = await runWice(["listen", "--udp", udp, "--key", file, "--relay", relay.url], { input: "" });
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining(`port ${taken.port} is taken by another program`),
  });
});
