/** Relay, subscriber and publisher as separate processes, as in three terminals. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createScene, orEnd, runWice, type Scene, startRelay, startWice, type WiceProcess } from "./wice-process.ts";

interface Peer {
  readonly file: string;
  readonly publicKey: string;
}

let scene: Scene;
let relay: Awaited<ReturnType<typeof startRelay>>;
let alice: Peer;
let bob: Peer;

beforeAll(async () => {
  scene = await createScene();
  [alice, bob, relay] = await Promise.all([scene.key("alice"), scene.key("bob"), startRelay()]);
});
afterAll(async () => {
  await relay[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

/** Each test has a recipient of its own, so that they do not hear each other. */
async function newPeer(name: string): Promise<Peer> {
  return await scene.key(name);
}

async function subscriber(peer: Peer, ...args: string[]): Promise<WiceProcess> {
  const wice = await startWice(["subscribe", "--key", peer.file, "--relay", relay.url, ...args]);
  await orEnd(wice, wice.until("stderr", /subscribed/));
  return wice;
}

function publish(to: Peer, input: string | Uint8Array, ...args: string[]) {
  return runWice(["publish", to.publicKey, "--key", alice.file, "--relay", relay.url, ...args], { input });
}

describe.concurrent("three terminals", () => {
  test("a line that is published appears at the subscriber, at once and with its sender", async () => {
    const to = await newPeer("plain");
    await using inbox = await subscriber(to);
    const { code, stdout, stderr } = await publish(to, '{ "hello" : "world" }\n');
    expect(stderr).toBe("1 message accepted by the relay, for 1 subscriber\n");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    await inbox.until("stdout", /\n/);
    expect(inbox.stdout).toBe(`${alice.publicKey}  -      {"hello":"world"}\n`);
  });

  test("a relay that was killed and started again serves the same subscriber", async () => {
    const to = await newPeer("restart");
    await using first = await startRelay();
    await using inbox = await startWice(["subscribe", "--key", to.file, "--relay", first.url]);
    await inbox.until("stderr", /subscribed to/);
    first.kill("SIGKILL");
    await inbox.until("stderr", /lost: .*retrying in/);
    await using second = await startRelay(`127.0.0.1:${first.port}`);
    const { code } = await runWice(
      ["publish", to.publicKey, "--key", alice.file, "--relay", second.url, "--delivered"],
      { input: '"again"' },
    );
    expect(code).toBe(0);
    await inbox.until("stdout", /"again"/);
    expect(inbox.stderr).toMatch(/subscribed again/);
  });

  test("a subscriber and a publisher wait for a relay that is not there yet", async () => {
    const to = await newPeer("early");
    await using probe = await startRelay();
    const { port, url } = probe;
    probe.kill("SIGKILL");
    await probe.ended;
    await using inbox = await startWice(["subscribe", "--key", to.file, "--relay", url]);
    await using outbox = await startWice(["publish", to.publicKey, "--key", alice.file, "--relay", url, "--delivered"]);
    outbox.stdin.end("1");
    await outbox.until("stderr", /trying for 30 s \(--timeout\): nothing listens on/);
    await inbox.until("stderr", /waiting for the relay: nothing listens on .*retrying in/);
    await using late = await startRelay(`127.0.0.1:${port}`);
    expect(await outbox.ended).toEqual({ code: 0, signal: null });
    await inbox.until("stdout", /1\n/);
    expect(late.stderr).toBe("");
  });

  test("--delivered tells which instance took the message", async () => {
    const to = await newPeer("delivered");
    await using inbox = await subscriber(to, "--json");
    const { code, stderr } = await publish(to, "true", "--delivered");
    expect(stderr).toMatch(
      new RegExp(`^1 message delivered to ${to.publicKey.replaceAll("+", "\\+")} \\(instance [0-9a-f]{32}\\)\n$`),
    );
    expect(code).toBe(0);
    await inbox.until("stdout", /\n/);
    expect(JSON.parse(inbox.stdout)).toMatchObject({ sender: alice.publicKey, fresh: true, payload: true });
  });

  test("--delivered fails, in time and with the line, when nobody takes the message", async () => {
    const to = await newPeer("nobody");
    const { code, stderr } = await publish(to, "1\n", "--delivered", "--timeout", "1.5");
    expect(stderr).toMatch(/trying for 1.5 s \(--timeout\): nobody is subscribed/);
    expect(stderr).toMatch(/^wice publish: line 1: .*it is not subscribed/m);
    expect(code).toBe(1);
  });

  test("without --delivered, a message for nobody is accepted, and the publisher is told", async () => {
    const to = await newPeer("absent");
    const { code, stderr } = await publish(to, "1\n");
    expect(stderr).toMatch(/^1 message accepted by the relay\nbut nobody was subscribed to /);
    expect(code).toBe(0);
  });

  test("--count ends the subscriber after its last message, whose sender still gets the receipt", async () => {
    const to = await newPeer("count");
    await using inbox = await subscriber(to, "--count", "3");
    const { code, stderr } = await publish(to, "1\n2\n3\n", "--delivered", "--timeout", "10");
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: /3 messages delivered/ });
    expect(await inbox.ended).toEqual({ code: 0, signal: null });
    expect(inbox.stdout.split("\n")).toHaveLength(4);
  });

  test("--message carries a cunicu message, and shows it as protobuf JSON", async () => {
    const to = await newPeer("message");
    await using inbox = await subscriber(to, "--json");
    const message = { credentials: { ufrag: "a".repeat(16), pwd: "b".repeat(32), needCreds: true } };
    expect(await publish(to, JSON.stringify(message), "--message")).toMatchObject({ code: 0 });
    await inbox.until("stdout", /\n/);
    const { sender, instance, fresh, ...rest } = JSON.parse(inbox.stdout);
    expect(instance).toMatch(/^[0-9a-f]{32}$/);
    expect({ sender, fresh, rest }).toEqual({ sender: alice.publicKey, fresh: false, rest: { message } });
  });

  test("--json shows JSON as JSON, digit by digit, and other bytes as base64", async () => {
    const to = await newPeer("json");
    await using inbox = await subscriber(to, "--json");
    await publish(to, '{"b": 12345678901234567890, "a": [1.0, -0, "x  y\\u001b"]}\n');
    await inbox.until("stdout", /\n/);
    expect(inbox.stdout).toContain('"payload":{"b":12345678901234567890,"a":[1.0,-0,"x  y\\u001b"]}}\n');
    await publish(to, `{"payload":"${Buffer.from([0xff, 0x00]).toString("base64")}"}`, "--message");
    await inbox.until("stdout", /\n.*\n/s);
    expect(JSON.parse(inbox.stdout.split("\n")[1] ?? "")).toMatchObject({ payloadBase64: "/wA=" });
  });

  test("what a stranger sends cannot steer the terminal", async () => {
    const to = await newPeer("terminal");
    await using inbox = await subscriber(to);
    const evil = Buffer.from('"\u009b31m\u202e\u007f"').toString("base64");
    await publish(to, `{"payload":"${evil}"}`, "--message");
    await publish(to, JSON.stringify({ peer: { name: "\u001b]0;x\u0007\u009b" } }), "--message");
    await inbox.until("stdout", /\n.*\n/s);
    const [first, second] = inbox.stdout.split("\n");
    expect(first).toContain('"\\u009b31m\\u202e\\u007f"');
    expect(second).toContain("\\u001b]0;x\\u0007\\u009b");
  });

  test("--from lets one sender in, and no other", async () => {
    const [to, carol] = [await newPeer("from"), await newPeer("carol")];
    await using inbox = await subscriber(to, "--from", alice.publicKey);
    const args = ["publish", to.publicKey, "--key", carol.file, "--relay", relay.url];
    expect(await runWice(args, { input: '"from carol"' })).toMatchObject({ code: 0 });
    await publish(to, '"from alice"', "--delivered");
    await inbox.until("stdout", /from alice/);
    expect(inbox.stdout).not.toContain("from carol");
  });

  test("--group reaches every member, and nobody sends a receipt for it", async () => {
    const group = await newPeer("group");
    await using one = await subscriber(group, "--group");
    await using two = await subscriber(group, "--group", "--json");
    const { code, stderr } = await publish(group, '"all"', "--group");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "1 message accepted by the relay, for 2 subscribers\n" });
    await one.until("stdout", /"all"\n/);
    await two.until("stdout", /"payload":"all"}\n/);
  });

  test("many lines arrive in their order, none missing", async () => {
    const to = await newPeer("many");
    const count = 600;
    await using inbox = await subscriber(to, "--count", String(count));
    const lines = Array.from({ length: count }, (_, i) => JSON.stringify({ i, filler: "x".repeat(200) }));
    const { code, stderr } = await publish(to, `${lines.join("\n")}\n`);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `${count} messages accepted by the relay, for 1 subscriber\n`,
    });
    expect(await inbox.ended).toEqual({ code: 0, signal: null });
    const order = [...inbox.stdout.matchAll(/"i":(\d+)/g)].map(([, i]) => Number(i));
    expect(order).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  test("blank lines, Windows line ends and a missing last line end are taken as people write them", async () => {
    const to = await newPeer("lines");
    await using inbox = await subscriber(to, "--count", "2");
    expect(await publish(to, '\n"one"\r\n\n  \n"two"')).toMatchObject({ code: 0 });
    await inbox.ended;
    expect(inbox.stdout).toMatch(/"one"\n.*"two"\n$/);
  });

  test("a publisher without input publishes nothing, and says so", async () => {
    expect(await publish(bob, "")).toMatchObject({
      code: 1,
      stderr: "wice publish: stdin held no line: nothing was published\n",
    });
  });

  test("a failing line ends it with the number of that line, while stdin is still open", async () => {
    const to = await newPeer("failing");
    await using inbox = await subscriber(to);
    await using wice = await startWice(["publish", to.publicKey, "--key", alice.file, "--relay", relay.url]);
    wice.stdin.write('"one"\n"two"\nthree\n"four"\n');
    expect(await wice.ended).toEqual({ code: 1, signal: null });
    expect(wice.stderr).toMatch(/^before the failure: 2 messages accepted/);
    expect(wice.stderr).toMatch(/^wice publish: line 3 is not JSON/m);
    await inbox.until("stdout", /"two"\n/);
    expect(inbox.stdout).not.toContain("four");
  });

  test("a message that the relay does not take fails with its line", async () => {
    const to = await newPeer("large");
    const { code, stderr } = await publish(to, `"small"\n"${"x".repeat(70_000)}"\n`);
    expect(stderr).toMatch(/^wice publish: line 2: the message has \d+ bytes, of at most \d+$/m);
    expect(code).toBe(1);
  });

  test("SIGINT and SIGTERM end publisher and subscriber as shells expect, without a word", async () => {
    const to = await newPeer("signals");
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      await using inbox = await subscriber(to);
      await using wice = await startWice(["publish", to.publicKey, "--key", alice.file, "--relay", relay.url]);
      wice.stdin.write("1\n");
      await inbox.until("stdout", /1\n/);
      for (const process of [inbox, wice]) {
        process.kill(signal);
        expect(await process.ended).toEqual({ code, signal: null });
      }
      expect(wice.stderr).toBe("");
    }
  });

  test("the key may come from stdin, or from a pipe of the shell's", async () => {
    const to = await newPeer("stdin");
    const { stdout } = await runWice(["key", "generate"]);
    await using inbox = await startWice(["subscribe", "--key", "-", "--relay", relay.url, "--count", "1"]);
    inbox.stdin.write(stdout);
    const [, key = ""] = await inbox.until("stderr", /subscribed to (\S+)/);
    await publish({ ...to, publicKey: key }, "1", "--delivered");
    expect(await inbox.ended).toEqual({ code: 0, signal: null });
  });
});
