/** What every ICE agent keeps, whatever implementation is in it. */

import type { Agent, AgentChannel, AgentConnection, AgentDescription } from "../agent/agent.ts";
import type { Candidate } from "../agent/candidate.ts";
import { isWiceError } from "../errors.ts";
import { type AgentPair, createAgentPair } from "./agent-pair.ts";
import { type ComplianceCase, type ComplianceSubject, makeCases } from "./compliance.ts";
import { ensure, rejection, rejectsWith, within } from "./expect.ts";

export interface AgentFixture {
  /** Agents whose connections reach each other. They may be the same one. */
  readonly first: Agent;
  readonly second: Agent;
}

/**
 * The suite for ICE agents.
 *
 * ```ts
 * for (const { name, run } of agentCompliance({ setup, teardown })) test(name, run);
 * ```
 */
export function agentCompliance(subject: ComplianceSubject<AgentFixture>): readonly ComplianceCase[] {
  const patienceMs = subject.patienceMs ?? 15_000;
  const soon = <T>(what: string, promise: Promise<T>): Promise<T> => within(patienceMs, what, promise);
  const connect = async (pair: AgentPair): Promise<void> => {
    await soon("offer and answer", pair.negotiate());
    await soon("connecting", pair.connected());
  };
  const next = (channel: AgentChannel): Promise<Uint8Array> =>
    soon(
      "a message",
      new Promise((resolve) => {
        channel.handlers = { onMessage: resolve };
      }),
    );

  const cases: Record<string, (pair: AgentPair, fixture: AgentFixture) => Promise<void>> = {
    "connects, and carries messages both ways": async (pair) => {
      const { one, two } = pair;
      ensure(one.connection.state === "new", "a connection that was told nothing does nothing");
      await connect(pair);
      for (const { connection, states } of [one, two]) {
        ensure(states.filter((state) => state === "connected").length === 1, "it says once that it is connected");
        ensure(connection.control.state === "open" && connection.main.state === "open", "both channels are open then");
      }
      const [there, back] = [next(two.connection.main), next(one.connection.main)];
      one.connection.main.send(Uint8Array.of(1, 2, 3).subarray(1));
      two.connection.main.send(Uint8Array.of(4));
      ensure(equal(await there, Uint8Array.of(2, 3)), "a message arrives as it was");
      ensure(equal(await back, Uint8Array.of(4)), "and the other way");
    },

    "carries empty messages, and goes on": async (pair) => {
      await connect(pair);
      for (const [from, to] of [
        [pair.one, pair.two],
        [pair.two, pair.one],
      ] as const) {
        const lengths: number[] = [];
        const all = new Promise<void>((resolve) => {
          to.connection.main.handlers = { onMessage: ({ length }) => void (lengths.push(length) === 3 && resolve()) };
        });
        for (const length of [0, 1, 0]) from.connection.main.send(new Uint8Array(length));
        await soon("three messages", all);
        ensure(lengths.join() === "0,1,0", "each arrives, in order");
      }
    },

    "takes the largest message that it names, and refuses a larger one": async (pair) => {
      await connect(pair);
      const { one, two } = pair;
      const size = one.connection.main.maxMessageBytes;
      const largest = pattern(size);
      const message = next(two.connection.main);
      one.connection.main.send(largest);
      ensure(equal(await message, largest), "it arrives unchanged");
      ensure(
        codeOf(() => one.connection.main.send(new Uint8Array(size + 1))) === "too-large",
        "one byte more does not",
      );
    },

    "carries a megabyte in pieces, and says when to go on": async (pair) => {
      await connect(pair);
      const { one, two } = pair;
      const { main } = one.connection;
      const pieces = piecesOf(pattern(1_048_576), Math.min(pieceBytes, main.maxMessageBytes - 4));
      const arrived = new Map<number, Uint8Array>();
      const order: number[] = [];
      const complete = new Promise<void>((resolve) => {
        two.connection.main.handlers = {
          onMessage(message) {
            const number = new DataView(message.buffer, message.byteOffset).getUint32(0);
            ensure(!arrived.has(number), "nothing arrives twice");
            arrived.set(number, message.subarray(4));
            order.push(number);
            if (arrived.size >= pieces.length * (main.reliable ? 1 : leastArriving)) resolve();
          },
        };
      });
      await soon("sending", sendPieces(main, pieces));
      await soon("the last piece", complete);
      for (const [number, piece] of arrived) ensure(equal(piece, pieces[number] ?? new Uint8Array()), "unchanged");
      ensure(!main.reliable || order.every((number, at) => number === at), "it arrives in order");
    },

    "keeps what comes before somebody takes it": async (pair) => {
      await connect(pair);
      const { one, two } = pair;
      one.connection.main.send(Uint8Array.of(1));
      one.connection.control.send(Uint8Array.of(2));
      ensure(equal(await next(two.connection.control), Uint8Array.of(2)), "the channels do not wait for each other");
      ensure(equal(await next(two.connection.main), Uint8Array.of(1)), "the first message is there");
    },

    "describes itself without candidates, and tells them after that, with their credentials": async ({ one }) => {
      let described = false;
      const first = one.until(() => one.candidates.length > 0 || one.completed.length > 0).then(() => described);
      const offering = one.connection.offer({ restart: false }).finally(() => {
        described = true;
      });
      const { sdp, ufrag, pwd } = await soon("an offer", offering);
      ensure(!/^a=(candidate|end-of-candidates)/m.test(sdp), "no candidates in the description");
      ensure(ufrag.length >= 4 && pwd.length >= 22, "the credentials are long enough for ICE");
      ensure(await soon("a candidate", first), "candidates come after the description");
      await soon(
        "the end of candidates",
        one.until(() => one.completed.length > 0),
      );
      const [end] = one.completed;
      ensure(end?.ufrag === ufrag && end.count === one.candidates.length, "the end is told last, and once");
      ensure(
        one.candidates.every((each) => each.ufrag === ufrag && each.candidate.component === 1),
        "each names the credentials that it belongs to",
      );
    },

    "opens further channels with their options": async (pair) => {
      await connect(pair);
      const { one, two } = pair;
      if (!hasChannels(one.connection)) return;
      for (const [label, options, reliable] of [
        ["plain", {}, true],
        ["lossy", { ordered: false, maxRetransmits: 0 }, false],
        ["late", { maxPacketLifeTimeMs: 500, protocol: "p" }, false],
      ] as const) {
        const ours = one.connection.openChannel(label, options);
        const open = new Promise<void>((resolve) => {
          if (ours.state === "open") resolve();
          else ours.handlers = { onOpen: resolve };
        });
        await soon(
          "the other end",
          two.until(() => two.channels.some((channel) => channel.label === label)),
        );
        await soon("the channel", open);
        const theirs = two.channels.find((channel) => channel.label === label) as AgentChannel;
        ensure(theirs.id === ours.id, "both ends call it by the same number");
        ensure(
          theirs.reliable === reliable && ours.reliable === reliable,
          "both ends know whether it may lose messages",
        );
        const message = next(theirs);
        ours.send(Uint8Array.of(7));
        ensure(equal(await message, Uint8Array.of(7)), "it carries messages");
        const closed = new Promise<void>((resolve) => {
          theirs.handlers = { onClose: resolve };
        });
        ours.close();
        await soon("the end of a channel", closed);
        ensure(theirs.state === "closed" && codeOf(() => ours.send(Uint8Array.of(1))) === "closed", "it is closed");
      }
      ensure(one.connection.state === "connected", "the connection goes on");
      const both = { maxRetransmits: 1, maxPacketLifeTimeMs: 1 };
      ensure(codeOf(() => one.connection.openChannel("both", both)) === "invalid-argument", "not both limits");
    },

    "sees at once that the other side has closed": async (pair) => {
      await connect(pair);
      const { one, two } = pair;
      const extra = hasChannels(one.connection) ? one.connection.openChannel("extra", {}) : one.connection.main;
      if (extra !== one.connection.main)
        await soon(
          "the channel",
          two.until(() => two.channels.length > 0),
        );
      const ended = Promise.all(
        [two.connection.main, ...two.channels].map(
          (channel) =>
            new Promise<void>((resolve) => {
              channel.handlers = { onClose: resolve };
            }),
        ),
      );
      const before = one.states.length;
      one.connection.close();
      one.connection.close();
      await soon("the end of the channels", ended);
      ensure(two.connection.state === "closed" && two.states.at(-1) === "closed", "the connection says so");
      ensure(extra.state === "closed" && one.states.length === before, "who closes hears nothing of it");
      for (const { connection } of [one, two]) {
        ensure(codeOf(() => connection.main.send(Uint8Array.of(1))) === "closed", "nothing can be sent");
        ensure(codeOf(() => connection.openChannel("late", {})) === "closed", "no channel can be opened");
        await rejectsWith("closed", "an offer", connection.offer({ restart: false }));
        ensure((await connection.selectedPair()) === undefined, "it has no pair any more");
      }
    },

    "refuses what is no description, and goes on": async (pair) => {
      const { two } = pair;
      const { sdp, ...credentials } = await soon("an offer", pair.one.connection.offer({ restart: false }));
      if (sdp === "") {
        await refuse(pair, { ...credentials, sdp });
        await connect(pair);
        return;
      }
      const bad = [
        "",
        "v=0",
        "\u0000".repeat(9),
        sdp.replace(/^a=ice-ufrag.*$/m, ""),
        ...["abc", "a".repeat(257), "ab c", "ab\u00e9d"].map((ufrag) => sdp.replace(/(?<=^a=ice-ufrag:).*$/m, ufrag)),
        ...["a".repeat(21), "a".repeat(257), "<>".repeat(12)].map((pwd) => sdp.replace(/(?<=^a=ice-pwd:).*$/m, pwd)),
        sdp + "a=x:y\r\n".repeat(10_000),
        sdp + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n".repeat(64),
      ];
      for (const each of bad) {
        const description = { ...credentials, sdp: each };
        await rejectsWith("invalid-message", "an offer that is none", two.connection.answer(description));
        await rejectsWith("invalid-message", "an answer that is none", pair.one.connection.accept(description));
      }
      await rejectsWith("invalid-message", "an answer to nothing", two.connection.accept({ ...credentials, sdp }));
      await connect(pair);
    },

    "stands candidates that come early, or lead nowhere": async (pair) => {
      const { one, two } = pair;
      const many = Array.from({ length: 200 }, () => unreachable);
      two.connection.addCandidates(many);
      two.connection.endCandidates();
      await soon("offer and answer", pair.negotiate());
      for (const { connection } of [one, two]) {
        connection.addCandidates([
          unreachable,
          { ...unreachable, address: "no-such-name.invalid" },
          { ...unreachable, port: 0 },
        ]);
        connection.addCandidates([{ ...unreachable, protocol: "tcp", tcpType: "passive" }]);
      }
      await soon("connecting", pair.connected());
    },

    "takes its own offer back for the peer's, or says that it cannot": async (pair) => {
      const { one, two } = pair;
      const [offer] = await soon("two offers", Promise.all([one, two].map((end) => end.connection.offer(noRestart))));
      const outcome = await soon(
        "an answer",
        two.connection.answer(offer as AgentDescription).catch((error: unknown) => error),
      );
      if (isWiceError(outcome, "unsupported")) return;
      ensure(!(outcome instanceof Error), "what cannot be taken back is unsupported");
      await connect(pair);
    },

    "takes back an offer that would have changed a connection": async (pair) => {
      await connect(pair);
      const { one, two } = pair;
      if (!two.connection.canRestart) return;
      await soon("an offer", two.connection.offer({ restart: true }));
      const offer = await soon("the other offer", one.connection.offer(noRestart));
      const answered = await soon(
        "an answer",
        two.connection.answer(offer).catch((error: unknown) => error),
      );
      if (isWiceError(answered, "unsupported")) return;
      ensure(!(answered instanceof Error), "what cannot be taken back is unsupported");
      await soon("taking the answer", one.connection.accept(answered as AgentDescription));
      await echo(one.connection, two.connection);
    },

    "negotiates anew from either side, or says that it cannot, and goes on": async (pair) => {
      await connect(pair);
      for (const from of ["one", "two"] as const) {
        const again = await soon(
          "another negotiation",
          pair.negotiate({ from }).catch((error: unknown) => error),
        );
        ensure(again === undefined || isWiceError(again, "unsupported"), "what cannot be offered is unsupported");
        await echo(pair.one.connection, pair.two.connection);
      }
      for (const { states } of [pair.one, pair.two]) ensure(states.length === 1, "nothing becomes of the path");
    },

    "restarts ICE, or says that it cannot": async (pair) => {
      await connect(pair);
      for (const from of ["one", "two"] as const) {
        const { connection } = pair[from];
        if (!connection.canRestart) {
          await rejectsWith("unsupported", "a restart", connection.offer({ restart: true }));
          ensure(connection.state === "connected", "the connection goes on");
          continue;
        }
        const { ufrag } = pair[from].candidates.at(-1) ?? {};
        const restarted = await soon(
          "a restart",
          pair.negotiate({ from, restart: true }).catch((error: unknown) => error),
        );
        // The other one cannot.
        if (isWiceError(restarted, "unsupported")) return;
        ensure(!(restarted instanceof Error), `a restart that cannot be is unsupported, not ${String(restarted)}`);
        await soon(
          "new candidates",
          pair[from].until(() => pair[from].candidates.at(-1)?.ufrag !== ufrag),
        );
        const failed = pair[from].until(() => connection.state === "failed");
        await soon("the path", Promise.race([failed, echo(pair.one.connection, pair.two.connection)]));
        if (connection.state !== "failed") continue;
        ensure(!connection.canRestart, "whose restart comes to nothing says that it cannot");
        return;
      }
      await echo(pair.one.connection, pair.two.connection);
    },

    "does not connect with another certificate or key than the one that was named": async (pair) => {
      const { one, two } = pair;
      let altered = false;
      await soon(
        "offer and answer",
        pair.negotiate({
          alter(answer) {
            const sdp = answer.sdp.replace(/(a=fingerprint:\S+ )(..)/, (_, name: string, byte: string) => {
              altered = true;
              return name + (byte === "00" ? "01" : "00");
            });
            if (answer.ephemeralKey === undefined) return { ...answer, sdp };
            altered = true;
            return { ...answer, ephemeralKey: answer.ephemeralKey.map((byte, at) => (at === 9 ? byte ^ 1 : byte)) };
          },
        }),
      );
      if (!altered) return;
      await soon(
        "the failure",
        one.until(() => one.connection.state === "failed"),
      );
      ensure(isWiceError(one.failures[0], "forged"), "the failure is called forged");
      ensure(![...one.states, ...two.states].includes("connected"), "neither side was ever connected");
    },

    "says which pair of addresses it uses": async (pair) => {
      const { connection } = pair.one;
      ensure((await connection.selectedPair()) === undefined, "none at first");
      await connect(pair);
      const selected = await soon("the pair", connection.selectedPair());
      ensure(selected !== undefined, "there is one when it is connected");
      for (const { type, protocol, port } of [selected.local, selected.remote])
        ensure(/^(host|prflx)$/.test(type) && protocol === "udp" && port > 0, "it is the one on this machine");
      const { roundTripMs = 0 } = selected;
      ensure(roundTripMs >= 0 && roundTripMs < 900, "the round trip is in milliseconds");
    },

    "leaves nothing when it is closed while it negotiates": async ({ one, two }) => {
      const offering = one.connection.offer({ restart: false });
      one.connection.close();
      await rejectsWith("closed", "the offer", soon("the end of the offer", offering));
      const closing = two.connection;
      const offered = await soon("an offer", closing.offer({ restart: false }));
      const others: Promise<unknown>[] = [
        closing.answer(offered),
        closing.accept(offered),
        closing.offer({ restart: false }),
      ];
      closing.close();
      for (const each of others) {
        const error = await rejection("what was under way", soon("the end", each));
        ensure(isWiceError(error, "closed"), "it rejects with closed");
      }
      ensure(one.states.length + two.states.length === 0, "and nothing is told");
    },
  };

  return makeCases(
    subject,
    Object.fromEntries(
      Object.entries(cases).map(([name, check]) => [
        name,
        async (fixture: AgentFixture) => {
          const pair = createAgentPair(fixture.first, fixture.second);
          try {
            await check(pair, fixture);
          } finally {
            pair.close();
          }
        },
      ]),
    ),
  );

  /** For agents without SDP. */
  async function refuse({ one, two }: AgentPair, offer: AgentDescription): Promise<void> {
    const { ephemeralKey } = offer;
    const bad: AgentDescription[] = [
      ...["", "abc", "a".repeat(257), "ab c", "ab\u00e9d"].map((ufrag) => ({ ...offer, ufrag })),
      ...["", "a".repeat(21), "a".repeat(257), "<>".repeat(12)].map((pwd) => ({ ...offer, pwd })),
    ];
    if (ephemeralKey !== undefined)
      for (const key of [undefined, new Uint8Array(31), new Uint8Array(32), new Uint8Array(32).fill(255)])
        bad.push({ ...offer, ephemeralKey: key });
    for (const each of bad) {
      await rejectsWith("invalid-message", "an offer that is none", two.connection.answer(each));
      await rejectsWith("invalid-message", "an answer that is none", one.connection.accept(each));
    }
    const fresh = { ...offer, ufrag: "other" };
    await rejectsWith("invalid-message", "an answer to nothing", two.connection.accept(fresh));
  }

  async function echo(from: AgentConnection, to: AgentConnection): Promise<void> {
    const message = next(to.main);
    from.main.send(Uint8Array.of(42));
    ensure(equal(await message, Uint8Array.of(42)), "data goes on");
  }
}

const noRestart = { restart: false } as const;

const unreachable: Candidate = {
  ...{ foundation: "9", component: 1, protocol: "udp", priority: 1, address: "192.0.2.99", port: 9 },
  ...{ type: "host", tcpType: undefined, related: undefined },
};

const pieceBytes = 16_384;
const highBytes = 524_288;

/** Of an unreliable channel, on one machine, while it is sent as the channel says. */
const leastArriving = 0.9;

/** Each with its number before it. */
function piecesOf(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

/** As much at a time as the channel says. */
function sendPieces(channel: AgentChannel, pieces: readonly Uint8Array[]): Promise<void> {
  let next = 0;
  return new Promise((resolve) => {
    const pump = (): void => {
      for (; next < pieces.length && channel.bufferedBytes < highBytes; next += 1) {
        const piece = pieces[next] as Uint8Array;
        const message = new Uint8Array(4 + piece.length);
        new DataView(message.buffer).setUint32(0, next);
        message.set(piece, 4);
        channel.send(message);
      }
      if (next === pieces.length) resolve();
    };
    channel.handlers = { onLow: pump };
    pump();
  });
}

/** Whether an agent has more than the two that it always has. */
function hasChannels(connection: AgentConnection): boolean {
  return codeOf(() => connection.openChannel("probe", { maxRetransmits: 1, maxPacketLifeTimeMs: 1 })) !== "unsupported";
}

/** Bytes of which no two stretches are alike. */
function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 1) bytes[i] = (i * 31 + (i >> 8)) & 0xff;
  return bytes;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function codeOf(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    return isWiceError(error) ? error.code : String(error);
  }
  return undefined;
}
