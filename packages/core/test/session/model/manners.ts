/** What DESIGN 6 wants of everything that a process says, whatever happens to it. */

import { decodeMessage, type Envelope, open, type PrivateKey } from "@wice/core";
import { type Description, readDescription } from "../../../src/session/description.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

/** An envelope that a process has published. */
export interface Spoken {
  readonly atMs: number;
  readonly speaker: string;
  readonly isControlling: boolean;
  readonly description: Description;
}

/** What was said of sessions, opened. */
export async function overhear(
  keys: readonly PrivateKey[],
  published: readonly { readonly envelope: Envelope; readonly atMs: number; readonly speaker: string }[],
): Promise<readonly Spoken[]> {
  const spoken: Spoken[] = [];
  for (const { envelope, atMs, speaker } of published) {
    const recipient = keys.find(({ publicKey }) => publicKey.equals(envelope.recipient));
    if (recipient === undefined) continue;
    const { session } = decodeMessage(await open(recipient, envelope));
    const description = session === undefined ? undefined : readDescription(session);
    const isControlling = envelope.sender.compare(envelope.recipient) < 0;
    if (description !== undefined) spoken.push({ atMs, speaker, isControlling, description });
  }
  return spoken;
}

/** Rules that were broken, in words. */
export function broken(spoken: readonly Spoken[], { processes }: World): string[] {
  return [
    ...spoken.flatMap(brokenByOne),
    ...bySession(spoken).flatMap(brokenInSession),
    ...processes.flatMap(brokenByProcess),
  ];
}

function brokenByOne({ isControlling, description }: Spoken): string[] {
  const { kind, close, received, agents } = description;
  return [
    ...(isControlling && kind === "hello" && close === undefined && received === undefined
      ? ["the controlling peer's first word is no offer"]
      : []),
    ...(close === undefined && agents.length === 0 ? ["a description without agents"] : []),
  ];
}

/**
 * Of one session of one process with one of the peer, without a word to another in between: a message that was recorded may
 * bring an attempt that has not connected back to where it was, and what is said then begins anew.
 */
function bySession(spoken: readonly Spoken[]): (readonly Spoken[])[] {
  const runs: Spoken[][] = [];
  const latest = new Map<string, Spoken[]>();
  for (const each of spoken) {
    const { sessionId, received, close } = each.description;
    if (close !== undefined) continue;
    const run = latest.get(sessionId);
    if (run !== undefined && run[0]?.description.received?.sessionId === received?.sessionId) run.push(each);
    else {
      const begun = [each];
      latest.set(sessionId, begun);
      runs.push(begun);
    }
  }
  return runs;
}

/** In the order in which it was said. */
function brokenInSession(spoken: readonly Spoken[]): string[] {
  const found: string[] = [];
  for (const [index, { description }] of spoken.entries()) {
    const before = spoken[index - 1];
    if (before === undefined) continue;
    const { kind, epoch, candidateCount, ufrag } = description;
    const { description: old } = before;
    if (epoch < old.epoch) found.push(`epoch ${epoch} after ${old.epoch}`);
    if (epoch === old.epoch && kind === old.kind) {
      if (ufrag !== old.ufrag) found.push(`other credentials in epoch ${epoch}`);
      if (candidateCount < old.candidateCount) found.push(`${candidateCount} candidates after ${old.candidateCount}`);
    }
  }
  return found;
}

function brokenByProcess(process: Process): string[] {
  const { accepts, hasCalled, talks, agent, peer, state } = process;
  const isShut = accepts !== "yes" && !hasCalled;
  const theirs = state === "running" ? talks.map(({ session }) => session) : [];
  return [
    ...(isShut && (talks.length > 0 || agent.connections.length > 0) ? ["somebody came in who was not accepted"] : []),
    ...theirs.flatMap((session) => {
      const { code } = session.explain();
      const isRight = { connected: "connected", reconnecting: "reconnecting", closed: "" }[session.state];
      return isRight !== "" && code !== isRight ? [`explain() says ${code} of a session that is ${session.state}`] : [];
    }),
    ...theirs.flatMap((session) => (session.timeline().length > 256 ? ["a timeline without end"] : [])),
    ...(peer.sessions().length > 8 ? ["sessions without end"] : []),
  ];
}
