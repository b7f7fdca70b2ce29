/**
 * cunīcu's own signaling, for peers that are daemons of today: credentials and candidates in messages of their own, without
 * a session around them. Its traps, and what is done about each, are in DESIGN 4 and 6.
 */

import type { AgentName } from "../agent/agent.ts";
import { readCandidate } from "../agent/candidate.ts";
import type { Credentials } from "../gen/cunicu/epdisc/epdisc_pb.ts";
import type { Attempt } from "../session/attempt-state.ts";
import { isConnected } from "../session/attempt-state.ts";
import { type DaemonCredentials, type Dialect, daemonInstance } from "../session/dialect.ts";
import {
  begin,
  endAttempt,
  isCalling,
  isHeld,
  type Peering,
  run,
  type Scene,
  spend,
} from "../session/peering-state.ts";
import { makeRoom } from "../session/routing.ts";
import { daemonAttemptDeadline, freshDaemonState, stepDaemonAttempt } from "./attempt.ts";

/** Without a connection so long after both sides' credentials are known, new ones are taken. */
const noProgressMs = 10_000;
/** A daemon that has begun to send candidates does not send its credentials any more: after so long, those were lost. */
const noCredentialsMs = 3_000;
/** After something went wrong here, and before the daemon has heard of it. */
const againMs = 5_000;

/** For the agent of that name: it has to take what comes from daemons as it is, not sealed. */
export function createCunicuDialect(agent: AgentName): Dialect {
  return {
    read({ credentials, candidate }) {
      const said = {
        credentials: credentials === undefined ? undefined : readCredentials(credentials),
        candidate: candidate === undefined ? undefined : readCandidate(candidate),
      };
      return said.credentials === undefined && said.candidate === undefined ? undefined : said;
    },

    take(scene, said, welcome) {
      const { draft } = scene;
      // A message without header may be a recording.
      if (speaksOurs(draft)) return;
      const latest = latestOf(draft);
      const { credentials } = said;
      if (latest === undefined) {
        const isWelcome = welcome === "yes" || draft.wanted || draft.sessions.some(({ incoming }) => !incoming);
        if (credentials === undefined || !isWelcome || !spend(scene)) return;
        const id = start(scene, welcome === "yes" ? "accepted" : "called-back");
        if (id !== undefined) run(scene, id, { type: "daemon", said });
        return;
      }
      const isChanged = credentials !== undefined && latest.remote !== undefined && !isSame(latest.remote, credentials);
      if (isChanged) {
        if (!spend(scene)) return;
        draft.renewals = 1;
      }
      // What our agent has used it cannot use with others; what it has not, is as good as new.
      const id = isChanged && latest.daemon?.used === true ? renew(scene, latest) : latest.id;
      if (id !== undefined) run(scene, id, { type: "daemon", said });
    },

    review(scene) {
      const { draft, input } = scene;
      const latest = latestOf(draft);
      if (latest === undefined) {
        if (mayCall(draft) && draft.renewNotBeforeMs <= input.nowMs) start(scene, "call");
        return;
      }
      const isHopeless = latest.daemon?.spent === true || speaksOurs(draft);
      if (isHopeless && !latest.confirmed && !isHeld(draft, latest)) {
        draft.renewNotBeforeMs = input.nowMs + againMs;
        endAttempt(scene, latest.id, "expired");
        return;
      }
      if (isConnected(latest) && latest.daemon?.spent === false) draft.renewals = 1;
      else if (stuckAtMs(draft, latest) <= input.nowMs) renew(scene, latest);
    },

    deadline(peering) {
      const latest = latestOf(peering);
      if (latest === undefined) return mayCall(peering) ? peering.renewNotBeforeMs : Number.POSITIVE_INFINITY;
      return stuckAtMs(peering, latest);
    },
    stepAttempt: (attempt, event, _context, input) => stepDaemonAttempt(attempt, event, agent, input),
    attemptDeadline: daemonAttemptDeadline,
  };
}

/** RFC 8839, section 5.4. */
function readCredentials({ ufrag, pwd, needCreds }: Credentials): DaemonCredentials | undefined {
  const isLegal = /^[A-Za-z0-9+/]{4,256}$/.test(ufrag) && /^[A-Za-z0-9+/]{22,256}$/.test(pwd);
  return isLegal ? { ufrag, pwd, needCredentials: needCreds } : undefined;
}

/** It has sessions of ours, as no daemon has. */
function speaksOurs({ attempts }: Pick<Peering, "attempts">): boolean {
  return attempts.some(({ confirmed, daemon }) => confirmed && daemon === undefined);
}

/** We look for the peer, and it may be a daemon. */
function mayCall(peering: Peering): boolean {
  return isCalling(peering) && !speaksOurs(peering);
}

function latestOf({ attempts }: Pick<Peering, "attempts">): Attempt | undefined {
  return attempts.findLast(({ daemon }) => daemon !== undefined);
}

function start(scene: Scene, grounds: Attempt["grounds"]): string | undefined {
  if (!makeRoom(scene, ({ confirmed }) => !confirmed)) return undefined;
  const id = begin(scene, { instance: daemonInstance, grounds, daemon: freshDaemonState });
  run(scene, id, { type: "begin" });
  return id;
}

/** Others in place of credentials that cannot be used any more. What is connected goes when they connect. */
function renew(scene: Scene, latest: Attempt): string | undefined {
  const { draft } = scene;
  if (latest.remote !== undefined) draft.renewals -= 1;
  for (const each of draft.attempts)
    if (each.daemon !== undefined && !isConnected(each)) endAttempt(scene, each.id, "expired");
  // A daemon restarts when it hears of them: what it has said before is of no use.
  return start(scene, latest.grounds);
}

/** Of what it has begun with, and cannot end: others may be taken once for each of the daemon's. */
function stuckAtMs({ renewals }: Pick<Peering, "renewals">, { daemon, remote }: Attempt): number {
  if (remote !== undefined && renewals === 0) return Number.POSITIVE_INFINITY;
  if (daemon?.spent === true) return Number.NEGATIVE_INFINITY;
  if (daemon?.idleSinceMs === undefined) return Number.POSITIVE_INFINITY;
  return daemon.idleSinceMs + (remote === undefined ? noCredentialsMs : noProgressMs);
}

function isSame(one: Pick<DaemonCredentials, "ufrag" | "pwd">, { ufrag, pwd }: DaemonCredentials): boolean {
  return one.ufrag === ufrag && one.pwd === pwd;
}
