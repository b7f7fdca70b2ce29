/** What WebRTC knows of a connection, once a second: how fast an answer is, how much flows, which pairs there are. */

import type { Session } from "@wice/core";

export interface Measurement {
  readonly bytesPerSecond: number;
  readonly pairs: readonly CandidatePair[];
}

export interface CandidatePair {
  readonly local: string;
  readonly remote: string;
  readonly state: string;
  readonly selected: boolean;
}

type Report = Record<string, unknown> & { readonly id: string; readonly type: string };

/** Call it at intervals: the first has no speed. */
export function createMeter(session: Session<RTCPeerConnection>): () => Promise<Measurement> {
  let before: { readonly connection: RTCPeerConnection; readonly bytes: number; readonly atMs: number } | undefined;
  return async () => {
    const { connection } = session;
    const reports = new Map<string, Report>();
    (await connection.getStats()).forEach((report: Report) => void reports.set(report.id, report));
    const all = [...reports.values()];
    const transport = all.find(({ type }) => type === "transport");
    const bytes = Number(transport?.bytesSent ?? 0) + Number(transport?.bytesReceived ?? 0);
    const atMs = performance.now();
    const known = before?.connection === connection ? before : undefined;
    before = { connection, bytes, atMs };
    return {
      bytesPerSecond: known === undefined ? 0 : ((bytes - known.bytes) / (atMs - known.atMs)) * 1_000,
      pairs: all
        .filter(({ type }) => type === "candidate-pair")
        .map((pair) => ({
          local: inWords(reports.get(String(pair.localCandidateId))),
          remote: inWords(reports.get(String(pair.remoteCandidateId))),
          state: String(pair.state),
          selected: pair.id === transport?.selectedCandidatePairId,
        }))
        .sort((left, right) => Number(right.selected) - Number(left.selected)),
    };
  };
}

/** Browsers do not tell a page the addresses of its own machine. */
function inWords(candidate: Report | undefined): string {
  if (candidate === undefined) return "gone";
  const address = String(candidate.address ?? "");
  const place = address === "" ? "hidden address" : address;
  return `${candidate.candidateType} ${candidate.protocol} ${place}:${candidate.port}`;
}
