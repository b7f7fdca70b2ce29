/** DESIGN 6, "In-band". */

import { create } from "@bufbuild/protobuf";
import { decodeEnvelope, decodeMessage, encodeEnvelope, encodeMessage, open } from "@wice/core";
import { describe, expect, test } from "vitest";
import { SessionDescription_CloseSchema } from "../../../src/gen/wice/v1/message_pb.ts";
import { encodeControl } from "../../../src/session/control.ts";
import { type ActorOptions, createStage, everybody, listenTo, makeKeys, text } from "../support/stage.ts";
import { tapped } from "../support/tapped.ts";

const keys = makeKeys();
const roles = ["controlling", "controlled"] as const;
const other = { controlling: "controlled", controlled: "controlling" } as const;

describe.each(roles)("we are the %s one", (role) => {
  const start = async (options: ActorOptions = {}) => {
    const stage = createStage(keys);
    const [we, they] = [stage.start(role, options), stage.start(other[role], everybody)];
    const session = await stage.clock.runUntil(we.call(they));
    await stage.clock.advance(2_000);
    return { stage, we, they, session };
  };

  test("while a data channel is open, session messages go over a reserved channel of it", async () => {
    const { stage, we } = await start();
    const [envelopes, inBand] = [stage.wire.envelopes.length, stage.paths.controlMessages];
    for (let i = 0; i < 5; i++) {
      we.agent.connections[0]?.needNegotiation();
      await stage.clock.advance(2_000);
    }
    expect(we.agent.connections[0]?.calls.filter((call) => call === "accept").length).toBeGreaterThanOrEqual(5);
    expect(stage.wire.envelopes.length).toBe(envelopes);
    expect(stage.paths.controlMessages).toBeGreaterThan(inBand);
    await stage.end();
  });

  test("they are sealed the same way: envelopes that only the peer can open", async () => {
    const tap = tapped();
    const { stage, we, they } = await start(tap);
    we.agent.connections[0]?.needNegotiation();
    await stage.clock.advance(1_000);
    expect(tap.envelopes.length).toBeGreaterThan(0);
    for (const bytes of tap.envelopes) {
      const envelope = decodeEnvelope(bytes);
      expect(envelope.sender.equals(we.key.publicKey)).toBe(true);
      const { session } = decodeMessage(await open(they.key, envelope));
      expect(session?.sdp ?? "").toMatch(/^v=0|^$/);
      expect(text.decode(bytes)).not.toContain("v=0");
    }
    await stage.end();
  });

  test("what the peer did not seal is not heard there", async () => {
    const tap = tapped();
    const { stage, they, session } = await start(tap);
    for (const connection of tap.connections) {
      if (connection.state !== "connected") continue;
      for (const noise of [
        new Uint8Array(),
        new Uint8Array(100),
        text.encode("v=0"),
        new Uint8Array(60_000).fill(0x42),
      ])
        connection.control.send(noise);
    }
    // Our own words, as if the peer had said them.
    for (const envelope of tap.envelopes) tap.connections[0]?.control.handlers.onMessage?.(encodeControl({ envelope }));
    await stage.clock.advance(5_000);
    expect([session.state, they.incoming[0]?.state]).toEqual(["connected", "connected"]);
    await stage.end();
  });

  test("an end that is not sealed is not heard, though all else in it is right", async () => {
    const [ours, theirs] = [tapped(), tapped()];
    const stage = createStage(keys);
    const we = stage.start(role, ours);
    const they = stage.start(other[role], { ...everybody, ...theirs });
    const session = await stage.clock.runUntil(we.call(they));
    await stage.clock.advance(1_000);
    they.agent.connections[0]?.needNegotiation();
    await stage.clock.advance(1_000);
    const said = decodeEnvelope(theirs.envelopes.at(-1) ?? new Uint8Array());
    const message = decodeMessage(await open(we.key, said));
    if (message.session === undefined) throw new Error("nothing was said in-band");
    const close = create(SessionDescription_CloseSchema, { reason: "not me" });
    const body = encodeMessage({ ...message, session: { ...message.session, close } });
    const envelope = encodeEnvelope({ ...said, body });
    for (const { control } of ours.connections) control.handlers.onMessage?.(encodeControl({ envelope }));
    await stage.clock.advance(5_000);
    expect(session.state).toBe("connected");
    await stage.end();
  });

  test("the backend is the fallback: over a path that is lost, messages go by it", async () => {
    const { stage, we, session } = await start();
    we.agent.connections[0]?.fail();
    const before = stage.saidBy(we).length;
    await stage.clock.advance(10_000);
    expect(stage.saidBy(we).length).toBeGreaterThan(before);
    expect(session.state).toBe("connected");
    await stage.end();
  });

  test("a lost backend ends nothing", async () => {
    const { stage, they, session } = await start();
    stage.wire.down = true;
    stage.wire.cut();
    const heard = listenTo(they.incoming[0] ?? session);
    for (let i = 0; i < 10; i++) {
      await stage.clock.advance(600_000);
      await stage.clock.runUntil(session.send(text.encode(`${i}`)));
    }
    await stage.clock.advance(100);
    expect(heard).toHaveLength(10);
    expect([session.state, they.incoming[0]?.state]).toEqual(["connected", "connected"]);
    await stage.end();
  });

  test("renegotiation does not need a backend, nor does a restart of ICE while the path still answers", async () => {
    const { stage, we, they, session } = await start();
    stage.wire.down = true;
    stage.wire.cut();
    we.agent.connections[0]?.needNegotiation();
    they.agent.connections[0]?.needNegotiation();
    await stage.clock.advance(2_000);
    session.restart();
    await stage.clock.advance(2_000);
    expect(we.agent.connections[0]?.calls).toContain("restart");
    expect(
      they.agent.connections[0]?.calls.filter((call) => call === "answer" || call === "accept").length,
    ).toBeGreaterThan(2);
    expect(session.state).toBe("connected");
    await stage.end();
  });
});
