/** `wice connect` and `wice listen`: a direct connection between two processes. */

import { createHash, randomBytes } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  command,
  createScene,
  orEnd,
  runWice,
  type Scene,
  startProcess,
  startRelay,
  startWice,
} from "./wice-process.ts";

let scene: Scene;
let relay: Awaited<ReturnType<typeof startRelay>>;

beforeAll(async () => {
  [scene, relay] = await Promise.all([createScene(), startRelay()]);
});
afterAll(async () => {
  await relay[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

async function peers(name: string) {
  const [alice, bob] = await Promise.all([scene.key(`${name}-alice`), scene.key(`${name}-bob`)]);
  return { alice, bob };
}

describe("a connection", () => {
  test("carries what is piped into it, unchanged, and ends with it", async () => {
    const { alice, bob } = await peers("pipe");
    await using listening = await startWice(["listen", "--key", bob.file, "--relay", relay.url]);
    await orEnd(listening, listening.until("stderr", /listening as/));
    const input = randomBytes(2_000_000).toString("hex");
    const { code, stdout, stderr } = await runWice(
      ["connect", bob.publicKey, "--key", alice.file, "--relay", relay.url],
      { input },
    );
    expect(stderr).toMatch(/connected/);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(await listening.ended).toEqual({ code: 0, signal: null });
    expect(listening.stdout === input).toBe(true);
    expect(listening.stderr).not.toContain("Warning");
    expect(listening.stderr).toContain(`connected to ${alice.publicKey}`);
  });

  test("goes on without the relay, both ways", async () => {
    const { alice, bob } = await peers("relay");
    await using own = await startRelay();
    await using listening = await startWice(["listen", "--key", bob.file, "--relay", own.url]);
    await orEnd(listening, listening.until("stderr", /listening as/));
    await using calling = await startWice(["connect", bob.publicKey, "--key", alice.file, "--relay", own.url]);
    await orEnd(calling, calling.until("stderr", /connected/));
    own.kill("SIGKILL");
    calling.stdin.write("still there?\n");
    await orEnd(listening, listening.until("stdout", /still there\?\n/));
    listening.stdin.write("yes\n");
    await orEnd(calling, calling.until("stdout", /yes\n/));
    calling.stdin.end();
    expect((await calling.ended).code).toBe(0);
    expect((await listening.ended).code).toBe(0);
  });

  test("carries 100 MB unchanged, and a relay that is killed in the middle changes nothing", async () => {
    const { alice, bob } = await peers("large");
    await using own = await startRelay();
    const listen = [...command, "listen", "--key", bob.file, "--relay", own.url];
    await using listening = await startProcess("sh", ["-c", '"$@" | sha256sum', "sh", ...listen]);
    await orEnd(listening, listening.until("stderr", /listening as/));
    await using calling = await startWice(["connect", bob.publicKey, "--key", alice.file, "--relay", own.url]);
    const hash = createHash("sha256");
    const chunks = 1_000;
    async function* input(): AsyncGenerator<Buffer> {
      for (let i = 0; i < chunks; i++) {
        // By then much of it has come out at the other end: pipes and buffers hold little.
        if (i === chunks / 2) own.kill("SIGKILL");
        const chunk = randomBytes(100_000);
        hash.update(chunk);
        yield chunk;
      }
    }
    await pipeline(input, calling.stdin);
    expect(await calling.ended).toEqual({ code: 0, signal: null });
    expect((await own.ended).signal).toBe("SIGKILL");
    await listening.ended;
    expect(listening.stdout).toContain(hash.digest("hex"));
  });

  test("waits for a peer that comes later, and says what it waits for", async () => {
    const { alice, bob } = await peers("later");
    await using calling = await startWice(["connect", bob.publicKey, "--key", alice.file, "--relay", relay.url]);
    await orEnd(
      calling,
      calling.until("stderr", /nobody is subscribed at the relay with the peer's key \(start the peer/),
    );
    await using listening = await startWice(["listen", "--key", bob.file, "--relay", relay.url]);
    await orEnd(calling, calling.until("stderr", /connected/));
    listening.stdin.end("hello\n");
    expect((await calling.ended).code).toBe(0);
    expect(calling.stdout).toBe("hello\n");
  });

  test("is only for those that are allowed", async () => {
    const { alice, bob } = await peers("allow");
    const mallory = await scene.key("mallory");
    const args = ["listen", "--key", bob.file, "--relay", relay.url, "--allow", alice.publicKey, "--json"];
    await using listening = await startWice(args);
    await orEnd(listening, listening.until("stderr", /"listening"/));
    const refused = await runWice(
      ["connect", bob.publicKey, "--key", mallory.file, "--relay", relay.url, "--timeout", "2"],
      { input: "x" },
    );
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/not connected in time: messages were sent, and the peer has not answered/);
    const allowed = await runWice(["connect", bob.publicKey, "--key", alice.file, "--relay", relay.url], {
      input: "hi",
    });
    expect(allowed.code).toBe(0);
    await listening.ended;
    expect(listening.stdout).toBe("hi");
    const events = listening.stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; event?: string; key?: string; text?: string });
    expect(events.some(({ event }) => event === "connected")).toBe(true);
    // Once, however often it has called.
    expect(events.filter(({ type }) => type === "declined")).toEqual([
      { type: "declined", key: mallory.publicKey, text: "it is not among those of --allow" },
    ]);
  });

  test("is told of, when it is refused because another is there", async () => {
    const { alice, bob } = await peers("taken");
    const carol = await scene.key("taken-carol");
    await using listening = await startWice(["listen", "--key", bob.file, "--relay", relay.url]);
    await orEnd(listening, listening.until("stderr", /listening as/));
    await using calling = await startWice(["connect", bob.publicKey, "--key", alice.file, "--relay", relay.url]);
    await orEnd(calling, calling.until("stderr", /connected/));
    await using late = await startWice(["connect", bob.publicKey, "--key", carol.file, "--relay", relay.url]);
    await orEnd(late, listening.until("stderr", /is declined: there is a session with another peer/));
    expect(listening.stderr).toContain(`${carol.publicKey} is declined`);
  });

  test("that cannot be, for want of an agent in common, says which option is to blame", async () => {
    const { alice, bob } = await peers("agents");
    const relayed = ["--relay", relay.url];
    await using listening = await startWice(["listen", "--key", bob.file, ...relayed, "--agent", "datagram"]);
    await using calling = await startWice([
      ...["connect", bob.publicKey, "--key", alice.file, ...relayed, "--agent", "rtc"],
    ]);
    const said = /no agent in common.*\(name the same --agent on both sides, or none;/;
    await orEnd(calling, calling.until("stderr", said));
    await orEnd(listening, listening.until("stderr", said));
  });

  test("ends on both sides when one is interrupted", async () => {
    const { alice, bob } = await peers("stop");
    await using listening = await startWice(["listen", "--key", bob.file, "--relay", relay.url]);
    await orEnd(listening, listening.until("stderr", /listening as/));
    await using calling = await startWice(["connect", bob.publicKey, "--key", alice.file, "--relay", relay.url]);
    await orEnd(calling, calling.until("stderr", /connected/));
    calling.kill("SIGINT");
    expect(await calling.ended).toEqual({ code: 130, signal: null });
    expect((await listening.ended).code).toBe(0);
  });
});

test.each([
  [["connect", "nonsense"], /PEER: not a public key/],
  [
    ["connect", "YU6BcM9nME+e2rYQuu0KYQ0OZgC3U0EfbSfotMkssiQ=", "--agent", "smoke"],
    /--agent: there are rtc and datagram/,
  ],
  [["listen", "--stun", "a b"], /--stun: /],
  [["listen", "--allow", "nobody"], /--allow: /],
])("%j is refused in one line", async (args, line) => {
  const { file } = await scene.key(`bad-${args.length}-${args[1]?.length}`);
  const { code, stderr } = await runWice([...args, "--key", file, "--relay", "http://127.0.0.1:9"], { input: "" });
  expect(code).toBe(2);
  expect(stderr).toMatch(line);
  expect(stderr.trim().split("\n")).toHaveLength(1);
});
