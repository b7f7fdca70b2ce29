/** Why it is not connected, as a user of the command line is told: real relays, real ICE, and what stands on stderr. */

import { type Agent, generatePrivateKey, type PeerOptions } from "@wice/core";
import { openPeer } from "@wice/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createScene, orEnd, type Scene, startRelay, startWice, type WiceProcess } from "../cli/wice-process.ts";

let scene: Scene;
let relay: Awaited<ReturnType<typeof startRelay>>;

beforeAll(async () => {
  [scene, relay] = await Promise.all([createScene(), startRelay()]);
});
afterAll(async () => {
  await relay[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

const connectTo = async (publicKey: string, name: string, ...args: string[]): Promise<WiceProcess> => {
  const { file } = await scene.key(name);
  const at = args.includes("--relay") ? [] : ["--relay", relay.url];
  return startWice(["connect", publicKey, "--key", file, ...at, ...args]);
};

const listenAs = async (file: string, ...args: string[]): Promise<WiceProcess> => {
  const listening = await startWice(["listen", "--key", file, "--relay", relay.url, ...args]);
  await orEnd(listening, listening.until("stderr", /listening/));
  return listening;
};

/** A peer in this process, which says when it can be called. */
async function openCalled({ accept, agents }: Pick<PeerOptions, "accept"> & { agents?: readonly Agent[] }) {
  const options = { relay: relay.url, privateKey: generatePrivateKey(), accept };
  const given = agents as NonNullable<Parameters<typeof openPeer>[0]["agents"]> | undefined;
  const opened = await openPeer({ ...options, ...(given !== undefined && { agents: given }) });
  for await (const { type } of opened.peer.status()) if (type === "listening") break;
  return {
    publicKey: opened.privateKey.publicKey.toString(),
    [Symbol.asyncDispose]: opened.close,
  };
}

const datagramOnly: Agent = {
  name: "datagram",
  hasTurn: false,
  connect: () => {
    throw new Error("nobody has this agent in common with it");
  },
};

/** What is on stderr is this, and what to do about it. */
const says = (text: string): RegExp => new RegExp(`^${text} \\(.+\\)$`, "m");

describe("wice connect says", () => {
  test("that nobody is subscribed at the relay", async () => {
    const { publicKey } = await scene.key("nobody");
    await using calling = await connectTo(publicKey, "nobody-caller", "--timeout", "4");
    await orEnd(calling, calling.until("stderr", says("nobody is subscribed at the relay with the peer's key")));
    expect(await calling.ended).toMatchObject({ code: 1 });
    expect(calling.stderr.trim().split("\n").at(-1)).toBe(
      "wice connect: not connected in time: nobody is subscribed at the relay with the peer's key",
    );
  });

  test("that the relay cannot be reached, and connects once it can", async () => {
    const own = await startRelay();
    const { port } = own;
    await own[Symbol.asyncDispose]();
    const bob = await scene.key("relayless");
    await using calling = await connectTo(bob.publicKey, "relayless-caller", "--relay", own.url);
    await orEnd(calling, calling.until("stderr", says("signaling does not work: .*")));
    await using again = await startRelay(`127.0.0.1:${port}`);
    await using listening = await startWice(["listen", "--key", bob.file, "--relay", again.url]);
    await orEnd(calling, calling.until("stderr", /^connected$/m));
    expect(listening.stderr).toMatch(/listening as/);
  });

  test("that it is not answered", async () => {
    const [bob, friend] = await Promise.all([scene.key("silent"), scene.key("silent-friend")]);
    await using _listening = await listenAs(bob.file, "--allow", friend.publicKey);
    await using calling = await connectTo(bob.publicKey, "silent-caller");
    await orEnd(calling, calling.until("stderr", says("messages were sent, and the peer has not answered")));
  });

  test("that the peer has declined, and ends", async () => {
    await using called = await openCalled({ accept: () => "tell" });
    await using calling = await connectTo(called.publicKey, "declined-caller");
    expect(await calling.ended).toMatchObject({ code: 1 });
    expect(calling.stderr).toBe("wice connect: the peer has declined\n");
  });

  test("that the agents have none in common", async () => {
    await using called = await openCalled({ accept: () => true, agents: [datagramOnly] });
    await using calling = await connectTo(called.publicKey, "agentless-caller", "--agent", "rtc");
    await orEnd(calling, calling.until("stderr", says("the two peers have no agent in common: .*")));
  });

  test("that one protects what it sends, and the other does not", async () => {
    const bob = await scene.key("bare");
    await using _listening = await listenAs(bob.file, "--agent", "datagram", "--udp", "127.0.0.1:9");
    await using calling = await connectTo(bob.publicKey, "sealed-caller", "--agent", "datagram");
    await orEnd(calling, calling.until("stderr", says("the two peers have no agent in common: .* bare .*")));
  });

  test("that the path is lost, and that it is there again", async () => {
    const bob = await scene.key("lost");
    await using first = await listenAs(bob.file);
    await using calling = await connectTo(bob.publicKey, "lost-caller");
    await orEnd(calling, calling.until("stderr", /^connected$/m));
    first.kill("SIGKILL");
    await orEnd(calling, calling.until("stderr", says("it was connected, and the path is lost.*")));
    await using second = await listenAs(bob.file);
    await orEnd(calling, calling.until("stderr", /^connected again$/m));
    calling.stdin.end("still here\n");
    expect((await calling.ended).code).toBe(0);
    expect((await second.ended).code).toBe(0);
    expect(second.stdout).toBe("still here\n");
  });

  test("that the peer has closed", async () => {
    const bob = await scene.key("closing");
    await using listening = await listenAs(bob.file);
    await using calling = await connectTo(bob.publicKey, "closing-caller");
    await orEnd(calling, calling.until("stderr", /^connected$/m));
    listening.stdin.end("that is all\n");
    expect(await calling.ended).toEqual({ code: 0, signal: null });
    expect(calling.stdout).toBe("that is all\n");
    expect(calling.stderr).toBe("connected\nthe peer has closed the session (done)\n");
    await listening.ended;
    expect(listening.stderr).not.toMatch(/closed/);
  });
});

describe("wice listen says", () => {
  test("that the caller has taken another process with its key", async () => {
    const bob = await scene.key("twice");
    await using one = await listenAs(bob.file);
    await using other = await listenAs(bob.file);
    await using calling = await connectTo(bob.publicKey, "twice-caller");
    await orEnd(calling, calling.until("stderr", /^connected$/m));
    // Before it was connected, or a moment after.
    const turnedAway =
      /: the peer has taken another instance of our key: .* \(go on there, .*\)$|goes on with another process that has our key/m;
    await Promise.any([one, other].map((listening) => listening.until("stderr", turnedAway)));
    const taken = [one, other].filter(({ stderr }) => !turnedAway.test(stderr));
    expect(taken).toHaveLength(1);
    expect(taken[0]?.stderr).toMatch(/^connected to/m);
  });
});

describe("with --json", () => {
  test("every line is an object: what happened, what is in the way, and how it ended", async () => {
    const bob = await scene.key("json");
    await using calling = await connectTo(bob.publicKey, "json-caller", "--json", "--timeout", "60");
    await orEnd(calling, calling.until("stderr", /"code":"nobody-subscribed"/));
    await using listening = await listenAs(bob.file, "--json");
    await orEnd(calling, calling.until("stderr", /"code":"connected"/));
    listening.stdin.end("x");
    await Promise.all([calling.ended, listening.ended]);
    for (const { stderr } of [calling, listening]) {
      const lines = stderr
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      for (const { type } of lines) expect(["listening", "deaf", "peer", "verdict"]).toContain(type);
      const events = lines.filter(({ type }) => type === "peer").map(({ event }) => event);
      expect(events.indexOf("connected")).toBeGreaterThan(events.indexOf("sent"));
      expect(events.at(-1)).toBe("ended");
      const times = lines.filter(({ type }) => type === "peer").map(({ atMs }) => atMs as number);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    }
    const verdicts = calling.stderr.match(/"type":"verdict".*/g)?.map((line) => /"code":"([^"]+)"/.exec(line)?.[1]);
    expect(verdicts).toEqual(expect.arrayContaining(["nobody-subscribed", "connected", "closed-by-peer"]));
    expect(verdicts?.at(-1)).toBe("closed-by-peer");
  });

  test("so is the error that it ends with", async () => {
    const { publicKey } = await scene.key("json-nobody");
    await using calling = await connectTo(publicKey, "json-nobody-caller", "--json", "--timeout", "1");
    expect(await calling.ended).toMatchObject({ code: 1 });
    const last = JSON.parse(calling.stderr.trim().split("\n").at(-1) ?? "") as unknown;
    expect(last).toEqual({
      type: "error",
      code: "unavailable",
      text: "not connected in time: nobody is subscribed at the relay with the peer's key",
    });
  });
});
