/** An agent that throws where it should not costs its own connection, and nobody else's. */

import { expect, test } from "vitest";
import { createStage, everybody, makeKeys } from "../support/stage.ts";
import { changeConnections } from "../support/unruly-agent.ts";

const keys = makeKeys();
const explode = (): never => {
  throw new TypeError("a defect of the agent");
};
/** Some of its candidates come when it is connected. */
const late = { agent: { gatherMs: [2, 300, 600] } };

test.each([
  ["candidates", { addCandidates: explode }],
  ["the end of candidates", { endCandidates: explode }],
] as const)("that does not take %s is told of, and the peer can still be called", async (_, broken) => {
  const stage = createStage(keys);
  const we = stage.start("controlled", { ...everybody, agents: changeConnections(() => broken) });
  const they = stage.start("controlling", late);
  const session = await stage.clock.runUntil(they.call(we));
  await stage.clock.advance(2_000);
  expect(session.state).toBe("connected");
  expect(we.incoming[0]?.timeline().map(({ text }) => text)).toContain("the agent does not take what it is told");
  await stage.clock.runUntil(session.close());
  const again = await stage.clock.runUntil(they.call(we));
  expect(again.state).toBe("connected");
  expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
});

test("that does not close lets everything else end", async () => {
  const stage = createStage(keys);
  const we = stage.start("controlled", {
    ...everybody,
    agents: changeConnections((connection) => ({
      close() {
        connection.close();
        explode();
      },
    })),
  });
  const they = stage.start("controlling", late);
  const session = await stage.clock.runUntil(they.call(we));
  await stage.clock.runUntil(session.close());
  const again = await stage.clock.runUntil(they.call(we));
  expect(again.state).toBe("connected");
  expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
});
