/** What an RTCPeerConnection says of its candidates, its servers and of negotiation, in the words of an agent. */

import type { ConnectionEvents } from "./agent.ts";
import { parseCandidate } from "./candidate.ts";
import { listen, type PeerConnectionLike } from "./rtc-types.ts";
import { describeSdp } from "./sdp.ts";

interface Hearing {
  readonly events: ConnectionEvents;
  /** Calls it now, or later. */
  tell(event: () => void): void;
  /** There was a first negotiation: the channels of ours are no reason for another. */
  isNegotiated(): boolean;
}

interface CandidateEvent {
  readonly candidate?: IceCandidate | null;
}

interface IceCandidate {
  readonly candidate?: string;
  readonly usernameFragment?: string | null;
}

interface ServerErrorEvent {
  readonly url?: string;
  readonly errorCode?: number;
  readonly errorText?: string;
}

/** Returns what stops it. */
export function hear(pc: PeerConnectionLike, { events, tell, isNegotiated }: Hearing): () => void {
  const reported = new Set<string>();
  let completed: string | undefined;
  let timer: unknown;

  const onCandidate = ({ candidate = "", usernameFragment }: IceCandidate): void => {
    const ufrag =
      usernameFragment ?? / ufrag (\S+)/.exec(candidate)?.[1] ?? describeSdp(pc.localDescription?.sdp ?? "").ufrag;
    const parsed = parseCandidate(candidate);
    if (parsed !== undefined) events.onCandidate(parsed, ufrag);
    if (candidate !== "" || ufrag === completed) return;
    completed = ufrag;
    events.onCandidatesComplete(ufrag);
  };
  const onGathering = (): void => {
    // It is said again of a restart, if it is still so.
    if (pc.iceGatheringState === "gathering") reported.clear();
    if (pc.iceGatheringState !== "complete") return;
    // libdatachannel says nothing else at the end, and says it before its last candidates.
    clearTimeout(timer);
    timer = setTimeout(() => tell(() => onCandidate({})));
  };
  const onServerError = ({ url = "", errorCode = 0, errorText = "" }: ServerErrorEvent): void => {
    // Browsers say it once for every address of ours.
    const what = `${errorCode} ${url}`;
    if (reported.has(what)) return;
    reported.add(what);
    events.onServerError({ url, code: errorCode, text: errorText });
  };
  const onNegotiationNeeded = (): void => {
    if (isNegotiated() && pc.signalingState === "stable") events.onNegotiationNeeded();
  };

  const stops = [
    () => clearTimeout(timer),
    listen<CandidateEvent>(pc, "icecandidate", ({ candidate }) => tell(() => onCandidate(candidate ?? {}))),
    listen(pc, "icegatheringstatechange", onGathering),
    listen(pc, "negotiationneeded", () => tell(onNegotiationNeeded)),
    listen(pc, "icecandidateerror", onServerError),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
