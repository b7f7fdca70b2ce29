/** Defects of sessions that are being closed, mended once: named for what a user saw. */

import { describe, expect, test } from "vitest";
import { createStage, everybody, listenTo, makeKeys, text } from "../support/stage.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

describe.each(roles)("the one who closes is the %s one", (role) => {
  test("who restarts and calls while its former session is being closed gets a session that lasts", async () => {
    const stage = createStage(keys);
    const we = stage.start(role, everybody);
    const before = stage.start(other[role], everybody);
    await stage.clock.runUntil(before.call(we));
    const [old] = we.incoming;
    before.vanish();
    // What it never takes keeps the session open for a while.
    void old?.send(text.encode("never taken")).catch(() => {});
    const closing = old?.close({ drainMs: 60_000 });
    await stage.clock.advance(12_000);
    const after = stage.start(other[role], everybody);
    const session = await stage.clock.runUntil(after.call(we));
    await stage.clock.advance(5_000);
    expect([session.state, we.incoming.length]).toEqual(["connected", 2]);
    const heard = listenTo(we.incoming[1] as (typeof we.incoming)[0]);
    await stage.clock.runUntil(session.send(text.encode("hello")));
    await stage.clock.advance(100);
    expect(heard).toEqual(["hello"]);
    await stage.clock.runUntil(closing ?? Promise.resolve());
    expect(await old?.closed).toEqual({ cause: "closed", reason: "done" });
    await stage.clock.advance(70_000);
    expect(session.state).toBe("connected");
    expect(await stage.end()).toEqual({ connections: 0, timers: 0 });
  });
});
