/** Defects of channels that were mended once: named for what a user saw. */

import { createVirtualClock } from "@wice/core/testing";
import { expect, test } from "vitest";
import { createSessionPair } from "../support/session-pair.ts";
import { text } from "../support/stage.ts";

test("a channel that the peer closes before our application has the session can be read to its end", async () => {
  const clock = createVirtualClock();
  const pair = createSessionPair(clock);
  const connecting = pair.connect([0, 10_000]);
  await clock.advance(200);
  const channel = pair.ends[0].session.channel("short");
  await clock.runUntil(channel.send(text.encode("one")));
  await clock.runUntil(channel.close());
  await clock.runUntil(connecting);
  const heard: string[] = [];
  const read = async (): Promise<void> => {
    for await (const opened of pair.ends[1].session.channels) {
      for await (const message of opened) heard.push(text.decode(message));
      break;
    }
  };
  await clock.runUntil(read());
  expect(heard).toEqual(["one"]);
});
