import { type AgentConnection, rtc, WiceError } from "@wice/core";
import { describe, expect, test } from "vitest";
import { implementations, load } from "./support/implementations.ts";
import { createPair } from "./support/pair.ts";

const messageOf = (connection: AgentConnection): Promise<Uint8Array> =>
  new Promise((resolve) => {
    connection.main.handlers = { onMessage: resolve };
  });

describe.each(implementations)("WebRTC by $name", ({ module }) => {
  const connected = async () => {
    const pair = createPair(rtc({ RTCPeerConnection: await load(module) }));
    await pair.negotiate();
    await Promise.all([pair.one.reached("connected"), pair.two.reached("connected")]);
    return pair;
  };

  test("connects, and carries messages both ways", async () => {
    const { one, two } = await connected();
    expect([one.connection.control.state, two.connection.main.state]).toEqual(["open", "open"]);
    const large = new Uint8Array(one.connection.main.maxMessageBytes).fill(7);
    const [there, back] = [messageOf(two.connection), messageOf(one.connection)];
    one.connection.main.send(large);
    expect(Buffer.compare(await there, large)).toBe(0);
    two.connection.main.send(Uint8Array.of(1, 2));
    expect([...(await back)]).toEqual([1, 2]);
    expect(() => one.connection.main.send(new Uint8Array(large.length + 1))).toThrow(/at most/);
    expect(await one.connection.selectedPair()).toMatchObject({ local: { type: "host" } });
  });

  test("gives descriptions without candidates, and candidates of their credentials", async () => {
    const { one } = createPair(rtc({ RTCPeerConnection: await load(module) }));
    const { sdp, ufrag, pwd } = await one.connection.offer({ restart: false });
    expect(sdp).not.toMatch(/a=candidate/);
    expect(sdp).toContain(`a=ice-ufrag:${ufrag}\r\n`);
    expect(sdp).toContain(`a=ice-pwd:${pwd}\r\n`);
    await expect.poll(() => one.candidates.length).toBeGreaterThan(0);
    expect(one.candidates[0]).toMatchObject({ type: "host", component: 1 });
  });

  test("keeps messages that come before somebody takes them", async () => {
    const { one, two } = await connected();
    one.connection.main.send(Uint8Array.of(1));
    one.connection.control.send(Uint8Array.of(9));
    await new Promise<void>((resolve) => {
      two.connection.control.handlers = { onMessage: () => resolve() };
    });
    expect([...(await messageOf(two.connection))]).toEqual([1]);
  });

  test("sees at once that the peer has closed", async () => {
    const { one, two } = await connected();
    const closed = two.reached("closed");
    one.connection.close();
    await closed;
    expect(two.connection.main.state).toBe("closed");
    expect(() => two.connection.main.send(Uint8Array.of(1))).toThrow(WiceError);
    await expect(one.connection.offer({ restart: false })).rejects.toMatchObject({ code: "closed" });
  });

  test("refuses what is no description, and goes on", async () => {
    const pair = createPair(rtc({ RTCPeerConnection: await load(module) }));
    const { two } = pair;
    for (const sdp of ["", "v=0", "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", "\u0000".repeat(9)]) {
      const refused = two.connection.answer({ sdp, ufrag: "abcd", pwd: "x".repeat(22) });
      await expect(refused).rejects.toMatchObject({ code: "invalid-message" });
    }
    await pair.negotiate();
    await pair.one.reached("connected");
  });

  test("does not connect with another certificate than the one that was named", async () => {
    const pair = createPair(rtc({ RTCPeerConnection: await load(module) }));
    await pair.negotiate({
      alter: (answer) => ({
        ...answer,
        sdp: answer.sdp.replace(
          /a=fingerprint:sha-256 (..)/,
          (_, byte: string) => `a=fingerprint:sha-256 ${byte === "00" ? "01" : "00"}`,
        ),
      }),
    });
    const { one, two } = pair;
    // Each implementation has its own way to say it.
    await Promise.race([one, two].flatMap((end) => [end.reached("failed"), end.reached("closed")]));
    expect([...one.states, ...two.states]).not.toContain("connected");
  });

  test("leaves nothing when it is closed while it negotiates", async () => {
    const { one } = createPair(rtc({ RTCPeerConnection: await load(module) }));
    const offer = one.connection.offer({ restart: false });
    one.connection.close();
    await expect(offer).rejects.toMatchObject({ code: "closed" });
    expect(one.states).toEqual([]);
  });
});

describe("the rtc agent", () => {
  test("says what to inject where there is no WebRTC", () => {
    const events = {
      onCandidate() {},
      onCandidatesComplete() {},
      onState() {},
      onNegotiationNeeded() {},
      onChannel() {},
      onServerError() {},
    };
    expect(() => rtc().connect({ role: "controlling", events })).toThrow(/node-datachannel/);
  });
});
