/** Every rule of DESIGN 6, switched off, and every defect that was mended, put back: what to change in the sources, and by what. */

export interface Mutation {
  /** The rule that does not hold any more. */
  readonly rule: string;
  readonly changes: readonly Change[];
}

export interface Change {
  /** Within `packages/core/src/session`. */
  readonly file: string;
  /** Stands there once. */
  readonly text: string;
  readonly by: string;
}

const one = (rule: string, file: string, text: string, by: string): Mutation => ({
  rule,
  changes: [{ file, text, by }],
});

export const ruleMutations: readonly Mutation[] = [
  // State synchronisation
  one(
    "a message holds the whole description: all candidates",
    "synchronisation.ts",
    "candidateCount: candidates.length,",
    "candidates: candidates.slice(-1), candidateCount: candidates.length,",
  ),
  one(
    "a message holds what the sender has of the other's",
    "synchronisation.ts",
    "received: remote === undefined ? undefined : { sessionId: remote.sessionId, ...progressOf(remote) },",
    "received: undefined,",
  ),
  one(
    "sent again when the other side lags",
    "synchronisation.ts",
    "return received?.sessionId !== draft.id || isNewer(localProgress(draft), received);",
    "return false;",
  ),
  one(
    "silent when the other side has all",
    "synchronisation.ts",
    "return received?.sessionId !== draft.id || isNewer(localProgress(draft), received);",
    "return true;",
  ),
  one(
    "what is older says nothing new",
    "description.ts",
    "if (a.epoch !== b.epoch) return a.epoch > b.epoch;",
    "if (a.epoch !== b.epoch) return true;",
  ),

  // Timing
  one("the first message waits for candidates", "timing.ts", "firstCandidateMs: 20,", "firstCandidateMs: 0,"),
  one("it waits for 20 ms at most", "timing.ts", "firstCandidateMs: 20,", "firstCandidateMs: 2_000,"),
  one("later candidates coalesce", "timing.ts", "coalesceMs: 2,", "coalesceMs: 0,"),
  one("re-sent with backoff", "synchronisation.ts", "2 * sync.resendDelayMs", "sync.resendDelayMs"),
  one("re-sent with jitter", "synchronisation.ts", "* (0.75 + 0.25 * jitter)", ""),
  one("at most 4 s apart while a connect waits", "timing.ts", "resendUrgentMs: 4_000,", "resendUrgentMs: 40_000,"),
  one("at most a minute apart otherwise", "timing.ts", "resendIdleMs: 60_000,", "resendIdleMs: 600_000,"),

  // Whose session
  one(
    "a session belongs to an instance",
    "routing.ts",
    "const live = draft.attempts.find((each) => each.instance === instance && each.confirmed);",
    "const live = draft.attempts.find((each) => each.confirmed);",
  ),
  one(
    "a new instance never touches a live session",
    "holding.ts",
    'if (heardAtMs >= sinceMs) return "there";',
    'if (heardAtMs >= sinceMs) return "gone";',
  ),
  one(
    "a new instance makes us ask on the old path",
    "holding.ts",
    'scene.effects.push({ type: "probe", attempt: session.attempt });',
    "",
  ),
  one(
    "a new instance makes us ask as soon as it is heard",
    "holding.ts",
    "if (session.attempt !== newcomer) ask(scene, session);",
    "",
  ),
  one(
    "a session moves when the old path is dead",
    "holding.ts",
    "if (old !== undefined) move(scene, old.session, attempt);",
    "if (old !== undefined && agent !== undefined) establish(scene, attempt, agent);",
  ),
  one(
    "others that answered a call are told that another one was taken",
    "peering-state.ts",
    'export const otherInstance: Close = { cause: "other-instance", reason: "" };',
    'export const otherInstance: Close = { cause: "done", reason: "" };',
  ),
  one(
    "two connect calls share a session",
    "peering.ts",
    "const there = draft.sessions.find(({ connected }) => connected);",
    "const there = draft.sessions.find(() => false);",
  ),
  one(
    "both sides calling at once get one session",
    "routing.ts",
    "const open = named === undefined ? draft.attempts.find((each) => each.instance === undefined) : undefined;",
    "const open = undefined as Attempt | undefined;",
  ),
  one(
    "of two sessions with one instance, one goes",
    "holding.ts",
    "if (moving === undefined && twin !== undefined) {",
    "if (twin === null) {",
  ),

  // No displacement
  one(
    "an end counts when it names our session",
    "routing.ts",
    "if (named !== undefined) takeClose(scene, named, instance, description, close);",
    "const last = named ?? draft.attempts.at(-1);\n    if (last !== undefined) takeClose(scene, last, instance, { ...description, received: undefined, sessionId: last.remoteId ?? sessionId }, close);",
  ),
  one(
    "an end counts when the instance says it that the session is with",
    "routing.ts",
    "if (attempt.instance !== undefined && attempt.instance !== instance) return;",
    "",
  ),
  one("who does not echo confirms nothing", "attempt.ts", "if (echoes) {", "if (echoes || true) {"),
  one(
    "who does not echo takes nothing over",
    "routing.ts",
    "const mayBind = named !== undefined && named !== known && isFree(draft, named, instance);",
    "const mayBind = named !== undefined && named !== known;",
  ),
  one(
    "who does not echo is answered with our state",
    "routing.ts",
    'if (spend(scene)) run(scene, live.id, { type: "remind" });',
    "",
  ),
  one("such answers are rate-limited", "peering-state.ts", "const enough = now >= 1;", "const enough = true;"),
  one(
    "an attempt that nobody confirms is given up",
    "peering.ts",
    "if (attempt.instance === undefined || isConnected(attempt) || isHeld(peering, attempt)) return false;",
    "if (attempt !== undefined) return false;",
  ),
  one(
    "another remote session makes a new id of our own",
    "peering-state.ts",
    "freshId: isTaken ? input.secondId : input.freshId },",
    'freshId: "5".repeat(32) },',
  ),

  // Roles
  one(
    "who calls makes the initial offer",
    "negotiation.ts",
    "const isInitial = beginsWithOffer(draft, context) && ",
    "const isInitial = draft.remote !== undefined && ",
  ),
  {
    rule: "its first message is the offer",
    changes: [
      {
        file: "synchronisation.ts",
        text: 'if (draft.local.kind === "hello" && draft.remote === undefined && beginsWithOffer(draft, context)) return;',
        by: "",
      },
      { file: "synchronisation.ts", text: "if (isDescribing(draft)) return;", by: "" },
      { file: "attempt.ts", text: "if (!beginsWithOffer(draft, context)) draft.sync =", by: "draft.sync =" },
    ],
  },
  one(
    "a controlled caller with several agents leaves the offer to the other one",
    "negotiation.ts",
    "(asksAnybody && agents.length === 1);",
    "asksAnybody;",
  ),
  one(
    "the controlling peer offers when nobody has",
    "negotiation.ts",
    'return role === "controlling" || (asksAnybody',
    "return (asksAnybody",
  ),
  one(
    "the controlled one is polite",
    "negotiation.ts",
    'local.kind === "offer" && role === "controlled");',
    'local.kind === "offer" && role === "controlling");',
  ),
  one(
    "either side may offer later",
    "attempt.ts",
    'if (draft.wants === "nothing") draft.wants = "offer";',
    'if (draft.wants === "nothing" && context.role === "controlling") draft.wants = "offer";',
  ),
  one(
    "a new offer takes the largest epoch and one more",
    "negotiation.ts",
    "const epoch = Math.max(local.epoch, remote?.epoch ?? 0) + 1;",
    "const epoch = local.epoch + 1;",
  ),
  one(
    "an answer names the epoch that it answers",
    "attempt.ts",
    "    epoch: operation.epoch,\n  };",
    "    epoch: draft.local.epoch + 1,\n  };",
  ),
  one(
    "an answer to another epoch is not taken",
    "negotiation.ts",
    "remote.epoch !== local.epoch || local.settled",
    "local.settled",
  ),
  one(
    "an offer of a past epoch is not answered",
    "negotiation.ts",
    "return epoch > local.epoch || (epoch",
    "return epoch > 0 || (epoch",
  ),
  one(
    "candidates belong to their ufrag",
    "attempt.ts",
    "if (ufrag !== local.ufrag || local.candidates.length >= maxCandidates) return;",
    "if (local.candidates.length >= maxCandidates) return;",
  ),
  one(
    "candidates that we find are bounded",
    "attempt.ts",
    "if (ufrag !== local.ufrag || local.candidates.length >= maxCandidates) return;",
    "if (ufrag !== local.ufrag) return;",
  ),
  one(
    "early candidates wait for their description",
    "negotiation.ts",
    "if (connection.remoteEpoch === 0 || connection.remoteEpoch !== remote.epoch) return;",
    "",
  ),
  one("max-bundle", "../agent/rtc-abilities.ts", 'bundlePolicy: "max-bundle",', 'bundlePolicy: "balanced" as never,'),
  one("rtcp-mux", "../agent/rtc-abilities.ts", '  rtcpMuxPolicy: "require",\n', ""),

  // In-band
  one(
    "session messages go in-band",
    "run-attempts.ts",
    "const isInBand = sealed !== undefined && run.live?.send(sealed) === true;",
    "const isInBand = sealed === null;",
  ),
  one(
    "in-band messages are sealed",
    "in-band-seal.ts",
    "if (plaintext === undefined) return undefined;",
    "if (plaintext === undefined) return readDescription(decodeMessage(envelope.body).session as never);",
  ),
  one("the backend is the fallback", "run-attempts.ts", "if (!isInBand || again) publish(", "if (again) publish("),
  one(
    "repeats go by the backend as well",
    "run-attempts.ts",
    "if (!isInBand || again) publish(",
    "if (!isInBand) publish(",
  ),
  one(
    "a lost backend ends nothing",
    "create-peer.ts",
    "driver.onDeaf();",
    'if (hearing.deaf !== undefined) void driver.close("deaf");',
  ),

  // Recovery
  one(
    "a network change restarts ICE",
    "peering.ts",
    'if (connection?.proven === true) run(scene, id, { type: "restart" });',
    "void [connection, run, id];",
  ),
  one(
    "a failed pair restarts ICE",
    "attempt.ts",
    "if (restartAtMs !== undefined && nowMs >= restartAtMs) {",
    "if (restartAtMs !== undefined && nowMs >= restartAtMs && connection === undefined) {",
  ),
  one(
    "a connection that can restart is kept",
    "negotiation.ts",
    "(restart && (!connection.canRestart || !connection.proven));",
    "restart;",
  ),
  one(
    "a connection that cannot restart is replaced",
    "negotiation.ts",
    "(restart && (!connection.canRestart || !connection.proven));",
    "false;",
  ),
  one(
    "what an agent refuses, a new connection may do",
    "attempt.ts",
    "disconnect(draft, effects);\n  if (retriesAtOnce) return;",
    "if (retriesAtOnce) return;",
  ),

  // Agents
  one(
    "the description lists all agents",
    "synchronisation.ts",
    "candidateCount: candidates.length,",
    "agents: agents.slice(0, 1), candidateCount: candidates.length,",
  ),
  one(
    "the controlling peer's first common agent is used",
    "negotiation.ts",
    'role === "controlling" ? [agents, remote.agents] : [remote.agents, agents]',
    "[agents, remote.agents]",
  ),
  one(
    "without a common agent, that is said",
    "negotiation.ts",
    "draft.noCommonAgent = draft.remote !== undefined && agent === undefined;",
    "",
  ),

  // Who may come in
  one(
    "nobody but who is accepted",
    "routing.ts",
    'const isWelcome = welcome === "yes" || isCalled;',
    "const isWelcome = true;",
  ),
  one(
    "the keys that we connect to come in",
    "routing.ts",
    'const isWelcome = welcome === "yes" || isCalled;',
    'const isWelcome = welcome === "yes";',
  ),
  {
    rule: "declining is silent",
    changes: [
      {
        file: "routing.ts",
        text: 'if ((!isWelcome && welcome === "no") || !spend(scene)) return;',
        by: "if (!spend(scene)) return;",
      },
      {
        file: "create-peer.ts",
        text: '(welcome === "no" && resting.get(text) === undefined)',
        by: "false",
      },
    ],
  },
  one("unless it is asked for", "create-peer.ts", 'answer === "tell" ? "tell" : ', ""),

  // Timeline
  one("the timeline is bounded", "timeline.ts", "if (entries.length > limit) entries.shift();", ""),
  one(
    "explain tells of a lost session",
    "explain.ts",
    "return reconnecting(attempt === undefined ? undefined : signalingVerdict(attempt, now));",
    "return connected;",
  ),
];

export const defectMutations: readonly Mutation[] = [
  one(
    "a path that stands is given up for a late word of another attempt",
    "routing.ts",
    "if (isHeld(peering, attempt) || isConnected(attempt)) return false;",
    "if (attempt.confirmed && (isHeld(peering, attempt) || isConnected(attempt))) return false;",
  ),
  one(
    "offers that fail are retried with backoff",
    "attempt.ts",
    "const untilMs = nowMs + restartDelayMs(draft);",
    "const untilMs = nowMs + 10;",
  ),
  one(
    "a lost word of receipt is given again",
    "attempt.ts",
    "if (description.answerWanted || lags(received, draft)) remind(draft, { nowMs });",
    "",
  ),
  one(
    "a refused answer is given later",
    "attempt.ts",
    "draft.refused = { epoch: operation.epoch, untilMs };",
    "draft.refused = { epoch: operation.epoch, untilMs: Number.POSITIVE_INFINITY };",
  ),
  one(
    "a late result does not count for the next operation",
    "attempt.ts",
    'const isStale = "connection" in event && event.connection !== attempt.connection?.number;',
    "const isStale = false;",
  ),
  one(
    "the cause of an end is not what its reason says",
    "description.ts",
    "return { cause: causeOf(wire.cause), reason: inWords(wire.reason) };",
    'return { cause: wire.reason === "declined" ? "declined" : causeOf(wire.cause), reason: inWords(wire.reason) };',
  ),
  one(
    "a callee that gives up does not end the caller's session",
    "holding.ts",
    "if (twin === undefined && session.incoming) return false;",
    "if (twin === undefined) return false;",
  ),
  one(
    "an aborted connect leaves nobody in",
    "peering.ts",
    '(attempt.grounds === "called-back" && own.length === 0)',
    "false",
  ),
  one(
    "own calls count among the attempts",
    "peering.ts",
    "if (makeRoom(scene, () => true)) begin",
    "if (makeRoom(scene, () => true) || true) begin",
  ),
  one(
    "an old verdict does not decide a move",
    "holding.ts",
    "return deadAtMs >= sinceMs ||",
    "return deadAtMs > Number.NEGATIVE_INFINITY ||",
  ),
  one(
    "refusals in words have one budget",
    "create-peer.ts",
    "const found = drivers.get(text) ?? resting.get(text);",
    "const found = drivers.get(text);",
  ),
  one(
    "a lost session does not keep a connect from calling",
    "peering.ts",
    "attempt.daemon === undefined && !isHeld(draft, attempt)",
    "attempt.daemon === undefined",
  ),
];
