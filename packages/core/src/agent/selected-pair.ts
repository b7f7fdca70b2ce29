/** Which pair of addresses a connection uses, by WebRTC's statistics. */

import type { SelectedPair } from "./agent.ts";
import type { Candidate } from "./candidate.ts";
import type { PeerConnectionLike } from "./rtc-types.ts";

type Report = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };

export async function readSelectedPair(pc: PeerConnectionLike): Promise<SelectedPair | undefined> {
  const reports = new Map<string, Report>();
  try {
    const stats = await pc.getStats();
    stats.forEach((report: Report) => void reports.set(report.id, report));
  } catch {
    return undefined;
  }
  const all = [...reports.values()];
  const selected = all.find(({ type }) => type === "transport")?.selectedCandidatePairId;
  const pair =
    reports.get(String(selected)) ??
    all.find(({ type, nominated, state }) => type === "candidate-pair" && nominated === true && state === "succeeded");
  const local = endOf(reports.get(String(pair?.localCandidateId)));
  const remote = endOf(reports.get(String(pair?.remoteCandidateId)));
  if (pair === undefined || local === undefined || remote === undefined) return undefined;
  return { local, remote, roundTripMs: millisecondsOf(pair.currentRoundTripTime) };
}

/** The standard gives seconds, with a fraction; `node-datachannel` gives whole milliseconds. */
function millisecondsOf(time: unknown): number | undefined {
  if (typeof time !== "number") return undefined;
  return Number.isInteger(time) ? time : 1_000 * time;
}

function endOf(report: Report | undefined): SelectedPair["local"] | undefined {
  if (report === undefined) return undefined;
  const { candidateType, protocol, address, ip, port } = report;
  return {
    type: candidateType as Candidate["type"],
    protocol: String(protocol ?? "udp").toLowerCase() as Candidate["protocol"],
    // Browsers hide addresses of the local network.
    address: String(address ?? ip ?? ""),
    port: Number(port ?? 0),
  };
}
