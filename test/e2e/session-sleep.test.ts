/** A Node process that sleeps with its machine, and wakes up again. */

import { describe, expect, test } from "vitest";
import { orderedKeys } from "../kit/ordered-keys.ts";
import { processTree } from "../kit/process-tree.ts";
import { startRelayProcess } from "../kit/relay-process.ts";
import { exchange, type KeyedSide, meet, openPeers } from "../kit/session-meeting.ts";
import { startSessionProcess } from "../kit/session-process.ts";
import { expectRecovered, sleepBeside, sleepMs } from "../kit/session-sleep.ts";

describe.concurrent("a session with a process that sleeps", { timeout: 150_000 }, () => {
  test.for([0, 1] as const)("goes on, and what was sent meanwhile arrives (role %i of the sleeper)", async (index) => {
    await using relay = await startRelayProcess();
    await using one = await startSessionProcess();
    await using other = await startSessionProcess();
    const keys = orderedKeys();
    const sides: readonly [KeyedSide, KeyedSide] = [
      { process: one, key: keys[0] },
      { process: other, key: keys[1] },
    ];
    await openPeers(sides, { relay: relay.url });
    const meeting = await meet(sides, "the controlling peer");
    await exchange(meeting);
    const asleep = meeting[index];
    const awake = meeting[index === 0 ? 1 : 0];
    const sleeper = processTree((index === 0 ? one : other).pid);

    await sleeper.stop();
    await sleepBeside(awake, sleepMs, async (texts) => {
      await sleeper.go();
      const wokenAt = Date.now();
      await asleep.process.call("untilHeard", asleep.session, texts.at(-1) as string);
      console.log(
        `the ${index === 0 ? "controlling" : "controlled"} process slept for ${sleepMs} ms: what was sent came ${Date.now() - wokenAt} ms later`,
      );
      const heard = await asleep.process.call("heard", asleep.session);
      expect(heard.slice(-texts.length)).toEqual(texts);
    });
    await exchange(meeting);
    await expectRecovered(awake);
  });
});
