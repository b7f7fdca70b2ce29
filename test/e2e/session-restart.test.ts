/** Sessions of Node processes whose other side, or whose relay, is killed and comes back. */

import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generatePrivateKey, writeKeyFile } from "@wice/node";
import { describe, expect, test } from "vitest";
import { startRelayProcess } from "../kit/relay-process.ts";
import { type End, exchange, meet, type Side, who } from "../kit/session-meeting.ts";
import { type NodeSessionProcess, startSessionProcess } from "../kit/session-process.ts";

/** Wide: implementations of ICE need up to half a minute to see that a path is dead, and machines may be busy. */
const patienceMs = 60_000;
const timeoutMs = 100_000;

interface NodeSide extends Side {
  readonly process: NodeSessionProcess;
}

/** A relay, and two processes whose keys are in files; what is started is ended after the test. */
async function createWorld() {
  const opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "wice-sessions-"));
  opened.defer(() => rm(folder, { recursive: true }));
  const relay = opened.use(await startRelayProcess());
  const keys = [generatePrivateKey(), generatePrivateKey()].toSorted((a, b) => a.publicKey.compare(b.publicKey));
  const files = await Promise.all(
    keys.map(async (key, index) => {
      const keyFile = join(folder, `${index}.key`);
      await writeKeyFile(keyFile, key);
      return { keyFile, publicKey: key.publicKey.toString() };
    }),
  );
  /** 0 for the one with the smaller key. */
  const start = async (index: 0 | 1): Promise<NodeSide> => {
    const process = opened.use(await startSessionProcess());
    const { keyFile, publicKey } = files[index] as (typeof files)[number];
    await process.call("open", { relay: relay.url, keyFile });
    return { process, key: { publicKey } };
  };
  const sides = await Promise.all([start(0), start(1)]);
  return { relay, sides, start, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** How long this takes, in seconds. */
async function seconds(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return (performance.now() - startedAt) / 1_000;
}

/** Resolves when something that is said from now on is heard: what was under way may be lost with a process. */
async function untilThrough(from: End, to: End): Promise<void> {
  const text = randomUUID();
  await from.process.call("send", from.session, text);
  await to.process.call("untilHeard", to.session, text);
}

describe.concurrent("after the SIGKILL of one process and its restart", { timeout: timeoutMs }, () => {
  const cases = (["controlling", "controlled"] as const).flatMap((killed) =>
    (["the survivor", "the killed"] as const).map((caller) => ({ killed, caller })),
  );
  test.for(cases)(
    "the other's session works again: the $killed peer is killed, $caller had called",
    async ({ killed, caller }) => {
      await using world = await createWorld();
      const index = killed === "controlling" ? 0 : 1;
      const isFirst = (caller === "the killed") === (index === 0);
      const meeting = await meet(world.sides, isFirst ? "the controlling peer" : "the controlled peer");
      await exchange(meeting);
      const victim = world.sides[index];
      const survivor = meeting[1 - index] as End;
      const { instance } = await survivor.process.call("report", survivor.session);

      await victim.process.kill();
      let restarted: End | undefined;
      const sincePeerIsBack = { s: Number.NaN };
      const sinceKill = await seconds(async () => {
        const side = await world.start(index);
        sincePeerIsBack.s = await seconds(async () => {
          const session =
            caller === "the killed"
              ? await side.process.call("connect", survivor.key.publicKey)
              : await side.process.call("nextIncoming");
          restarted = { ...side, session };
          await survivor.process.call("untilChange", survivor.session, "moved");
          await Promise.all([untilThrough(survivor, restarted), untilThrough(restarted, survivor)]);
        });
      });
      console.log(
        `the ${killed} peer killed, ${caller} had called: messages pass both ways ${sinceKill.toFixed(1)} s after the ` +
          `kill, ${sincePeerIsBack.s.toFixed(1)} s after the peer is back`,
      );
      expect(sinceKill * 1_000).toBeLessThan(patienceMs);
      const report = await survivor.process.call("report", survivor.session);
      expect(report.state).toBe("connected");
      expect(report.instance).not.toBe(instance);
      // It is the one that the application has had all the time.
      expect(report.changes.map(({ type }) => type)).not.toContain("closed");
    },
  );
});

describe.concurrent("both killed", { timeout: timeoutMs }, () => {
  test.for(who)("and restarted at once connect as if nothing had been, %s calling", async (caller) => {
    await using world = await createWorld();
    await exchange(await meet(world.sides, caller));
    await Promise.all(world.sides.map(({ process }) => process.kill()));
    const sinceKill = await seconds(async () => {
      const sides = await Promise.all([world.start(0), world.start(1)]);
      const again = await seconds(async () => exchange(await meet(sides, caller)));
      console.log(`both killed, ${caller} calls: connected ${again.toFixed(1)} s after both are back`);
    });
    expect(sinceKill * 1_000).toBeLessThan(patienceMs);
  });
});

describe.concurrent("a session whose relay is killed", { timeout: timeoutMs }, () => {
  test("goes on, and new peers connect when the relay is back", async () => {
    await using world = await createWorld();
    const { relay, sides } = world;
    const meeting = await meet(sides, "the controlling peer");
    await exchange(meeting);
    await relay.stop();
    await exchange(meeting);

    await using newcomer = await startSessionProcess();
    await using _ = await startRelayProcess(relay.port);
    const took = await seconds(async () => {
      const publicKey = await newcomer.call("open", { relay: relay.url });
      const met = await meet([{ process: newcomer, key: { publicKey } }, sides[0]], "the controlling peer");
      await exchange(met);
    });
    console.log(`a new peer connected ${took.toFixed(1)} s after the relay was back`);
    await exchange(meeting);
    const reports = await Promise.all(meeting.map(({ process, session }) => process.call("report", session)));
    expect(reports.map(({ state, changes }) => ({ state, changes }))).toEqual([
      { state: "connected", changes: [] },
      { state: "connected", changes: [] },
    ]);
  });

  test("is there again after the relay and one of the processes were", async () => {
    await using world = await createWorld();
    const { relay, sides } = world;
    const [survivor] = await meet(sides, "the controlling peer");
    await Promise.all([relay.stop(), sides[1].process.kill()]);
    await survivor.process.call("untilChange", survivor.session, "reconnecting");
    await using _ = await startRelayProcess(relay.port);
    const took = await seconds(async () => {
      const side = await world.start(1);
      const restarted: End = { ...side, session: await side.process.call("nextIncoming") };
      await survivor.process.call("untilChange", survivor.session, "moved");
      await Promise.all([untilThrough(survivor, restarted), untilThrough(restarted, survivor)]);
    });
    console.log(`relay and process killed: messages pass both ways ${took.toFixed(1)} s after the relay was back`);
    expect(took * 1_000).toBeLessThan(patienceMs);
  });
});
