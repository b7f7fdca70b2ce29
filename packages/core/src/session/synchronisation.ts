/** When an attempt says something, and what: always all of it, when the other side does not have all of it. */

import type { AttemptContext, AttemptDraft, AttemptEffect } from "./attempt-state.ts";
import { localProgress } from "./attempt-state.ts";
import { type Close, type Description, isNewer, progressOf, type Received } from "./description.ts";
import type { Input } from "./input.ts";
import { beginsWithOffer } from "./negotiation.ts";
import { timing } from "./timing.ts";

/** Sends what is due, and sets when the next message is. */
export function synchronise(
  draft: AttemptDraft,
  context: AttemptContext,
  { nowMs, jitter }: Input,
  effects: AttemptEffect[],
): void {
  if (isDescribing(draft)) return;
  // Nothing is worth saying before the offer.
  if (draft.local.kind === "hello" && draft.remote === undefined && beginsWithOffer(draft, context)) return;
  const { sync, urgent } = draft;
  const description = describe(draft, context);
  if ([sync.sendAtMs, sync.ackAtMs, sync.resendAtMs].some((time) => time !== undefined && time <= nowMs)) {
    const isRepeated = sync.resendAtMs !== undefined && sync.resendAtMs <= nowMs;
    const most = urgent ? timing.resendUrgentMs : timing.resendIdleMs;
    const delayMs = Math.min(most, isRepeated ? 2 * sync.resendDelayMs : sync.resendDelayMs);
    effects.push({ type: "send", description, again: isRepeated || sync.doubted });
    draft.sync = {
      sentReceived: description.received,
      sentAtMs: nowMs,
      sendAtMs: undefined,
      ackAtMs: undefined,
      resendAtMs: nowMs + delayMs * (0.75 + 0.25 * jitter),
      resendDelayMs: delayMs,
      doubted: false,
      asking: false,
    };
  } else if (sync.ackAtMs !== undefined && !sync.doubted && !owesWord(sync.sentReceived, description.received)) {
    draft.sync = { ...sync, ackAtMs: undefined };
  }
  if (!lags(draft.remote?.received, draft)) draft.sync = { ...draft.sync, resendAtMs: undefined };
}

/** What we say of ourselves is being made: until then there is nothing to say. */
export function isDescribing({ operation }: Pick<AttemptDraft, "operation">): boolean {
  return operation?.type === "offer" || operation?.type === "answer";
}

/** Whether we have more of the peer's than it was told. */
function owesWord(sent: Received | undefined, now: Received | undefined): boolean {
  if (now === undefined) return false;
  return sent === undefined || sent.sessionId !== now.sessionId || isNewer(now, sent);
}

/** Whether somebody who has received so much does not have all of ours. */
export function lags(received: Received | undefined, draft: AttemptDraft): boolean {
  return received?.sessionId !== draft.id || isNewer(localProgress(draft), received);
}

/** Everything that we have to say. */
export function describe(draft: AttemptDraft, { agents }: AttemptContext, close?: Close): Description {
  const { id, local, remote, sync } = draft;
  const { kind, epoch, sdp, ufrag, pwd, ephemeralKey, candidates, candidatesComplete } = local;
  return {
    ...{ sessionId: id, kind, epoch, sdp, ufrag, pwd, ephemeralKey, candidates, candidatesComplete },
    ...{ agents, close },
    candidateCount: candidates.length,
    received: remote === undefined ? undefined : { sessionId: remote.sessionId, ...progressOf(remote) },
    answerWanted: sync.asking || lags(remote?.received, draft),
  };
}
