/** One RTCPeerConnection as a connection of an agent. */

import type { CallOptions } from "../call-options.ts";
import { isWiceError, WiceError } from "../errors.ts";
import type {
  AgentConnection,
  AgentDescription,
  ChannelOptions,
  ConnectionOptions,
  ConnectionState,
  SelectedPair,
} from "./agent.ts";
import { type Candidate, formatCandidate, parseCandidate } from "./candidate.ts";
import { createRtcChannel, type RtcChannel } from "./rtc-channel.ts";
import { type DataChannelLike, type IceServer, listen, type PeerConnectionLike } from "./rtc-types.ts";
import { attributeOf, checkSdp, describeSdp } from "./sdp.ts";
import { readSelectedPair } from "./selected-pair.ts";

export interface RtcConnectionOptions<Native> extends ConnectionOptions {
  servers(options: CallOptions): Promise<readonly IceServer[]>;
  open(servers: readonly IceServer[]): Native;
}

/** What every implementation takes in one piece, where it does not say. */
const usualMessageBytes = 65_536;
const mostMessageBytes = 262_144;

/** How long a source of ICE servers may take, before we go on with host candidates alone. */
const serversMs = 5_000;

interface CandidateEvent {
  readonly candidate?: { readonly candidate?: string; readonly usernameFragment?: string | null } | null;
}

export function connectRtc<Native extends PeerConnectionLike>(
  options: RtcConnectionOptions<Native>,
): AgentConnection<Native> {
  const { events } = options;
  const closing = new AbortController();
  const stops: (() => void)[] = [];
  const channels = new Set<RtcChannel>();
  /** What has to wait until the description that it belongs to was handed over. */
  const held: (() => void)[] = [];
  let native: Native | undefined;
  let opening: Promise<Native> | undefined;
  let state: ConnectionState = "new";
  let canRestart = true;
  let negotiated = false;
  let channelsOpen = false;
  let describing = false;
  let remoteUfrag = "";
  let remoteMid = "0";
  let remoteMost = usualMessageBytes;

  const maxMessageBytes = (): number => {
    const said = native?.sctp?.maxMessageSize;
    const most = said === undefined || !(said > 0) ? remoteMost : said;
    return Math.min(most, mostMessageBytes);
  };
  const own = (label: string, id: number): RtcChannel => {
    const channel = createRtcChannel({ label, id, reliable: true, maxMessageBytes, onChange: look });
    channels.add(channel);
    return channel;
  };
  const look = (): void => {
    if (native === undefined || state === "closed") return;
    const next = stateOf(native, [control, main], state);
    if (next === state) return;
    state = next;
    // Whoever answers DTLS with another certificate than the one of the sealed description is not the peer.
    const forged = next === "failed" && /^(connected|completed)$/.test(native.iceConnectionState);
    if (!forged) events.onState(next);
    else
      events.onState(
        next,
        new WiceError("forged", "the certificate on the path is not the one that the peer has named, or DTLS failed"),
      );
    if (next === "closed") release();
  };
  const control = own("wice", 0);
  const main = own("data", 1);

  /** Makes the connection once the servers are known. */
  const open = (): Promise<Native> => {
    opening ??= (async () => {
      const servers = await askServers();
      if (closing.signal.aborted) throw closed();
      const made = options.open(servers);
      native = made;
      canRestart = probeRestart(made);
      hear(made);
      return made;
    })();
    return opening;
  };
  /** Before the first offer, and after one of the peer's: libdatachannel makes an offer of its own for them otherwise. */
  const openChannels = (pc: Native): void => {
    if (channelsOpen) return;
    channelsOpen = true;
    for (const channel of [control, main])
      channel.bind(pc.createDataChannel(channel.label, { negotiated: true, id: channel.id, ordered: true }));
  };
  const askServers = async (): Promise<readonly IceServer[]> => {
    const timeout = AbortSignal.timeout(serversMs);
    try {
      return await options.servers({ signal: AbortSignal.any([timeout, closing.signal]) });
    } catch (error) {
      if (!closing.signal.aborted) {
        const text = isWiceError(error) ? error.message : "the ICE servers could not be had";
        events.onServerError({ url: "iceServers", code: 701, text });
      }
      return [];
    }
  };

  const hear = (pc: Native): void => {
    stops.push(
      listen<CandidateEvent>(pc, "icecandidate", ({ candidate }) => later(() => onCandidate(pc, candidate))),
      listen(pc, "connectionstatechange", look),
      listen(pc, "iceconnectionstatechange", look),
      listen<{ channel: DataChannelLike }>(pc, "datachannel", ({ channel }) => onDataChannel(channel)),
      listen(pc, "negotiationneeded", () => {
        if (negotiated && pc.signalingState === "stable") events.onNegotiationNeeded();
      }),
      listen<{ url?: string; errorCode?: number; errorText?: string }>(pc, "icecandidateerror", (event) =>
        events.onServerError({ url: event.url ?? "", code: event.errorCode ?? 0, text: event.errorText ?? "" }),
      ),
    );
  };
  /** A candidate is of no use to somebody who does not know its credentials yet. */
  const later = (event: () => void): void => {
    if (describing) held.push(event);
    else if (!closing.signal.aborted) event();
  };
  const onCandidate = (pc: Native, candidate: CandidateEvent["candidate"]): void => {
    const line = candidate?.candidate ?? "";
    const ufrag =
      candidate?.usernameFragment ??
      / ufrag (\S+)/.exec(line)?.[1] ??
      attributeOf(pc.localDescription?.sdp ?? "", "ice-ufrag") ??
      "";
    const parsed = line === "" ? undefined : parseCandidate(line);
    if (parsed !== undefined) events.onCandidate(parsed, ufrag);
    else if (line === "") events.onCandidatesComplete(ufrag);
  };
  const onDataChannel = (channel: DataChannelLike): void => {
    const { maxRetransmits, maxPacketLifeTime } = channel;
    const reliable = (maxRetransmits ?? null) === null && (maxPacketLifeTime ?? null) === null;
    const made = createRtcChannel({
      label: channel.label,
      id: channel.id ?? 0,
      reliable,
      maxMessageBytes,
      onChange: () => made.state === "closed" && channels.delete(made),
    });
    channels.add(made);
    made.bind(channel);
    events.onChannel(made);
  };

  /** Runs one negotiation after the other. What it resolves to is handed over before its candidates are. */
  let last: Promise<unknown> = Promise.resolve();
  const negotiate = <T>(work: (pc: Native) => Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      last = last.then(async () => {
        describing = true;
        try {
          if (closing.signal.aborted) throw closed();
          const result = await work(await open());
          if (closing.signal.aborted) throw closed();
          resolve(result);
        } catch (error) {
          reject(closing.signal.aborted ? closed() : asFailure(error));
        }
        // After whoever waits for the promise.
        queueMicrotask(() => {
          describing = false;
          for (const event of held.splice(0)) if (!closing.signal.aborted) event();
        });
      });
    });
  const localDescription = (pc: Native): AgentDescription => describeSdp(pc.localDescription?.sdp ?? "");
  const takeRemote = async (pc: Native, type: "offer" | "answer", { sdp, ufrag }: AgentDescription): Promise<void> => {
    checkSdp(sdp);
    try {
      await pc.setRemoteDescription({ type, sdp });
    } catch (cause) {
      throw new WiceError("invalid-message", `the peer's ${type} cannot be taken`, { cause });
    }
    remoteUfrag = ufrag;
    remoteMid = attributeOf(sdp, "mid") ?? "0";
    remoteMost = Number(attributeOf(sdp, "max-message-size") ?? usualMessageBytes) || usualMessageBytes;
  };

  const addCandidate = (candidate: string): void => {
    // What ICE does not like is the peer's mistake, or of credentials that are no more.
    const line = { candidate, sdpMid: remoteMid, sdpMLineIndex: 0, usernameFragment: remoteUfrag };
    Promise.resolve(native?.addIceCandidate(line)).catch(() => {});
  };
  const release = (): void => {
    closing.abort();
    for (const stop of stops.splice(0)) stop();
    for (const channel of channels) channel.release();
    channels.clear();
    native?.close();
  };

  return {
    get state() {
      return state;
    },
    get native() {
      if (native === undefined) throw new WiceError("unavailable", "there is no connection yet", { retryable: true });
      return native;
    },
    protection: "dtls",
    get canRestart() {
      return canRestart;
    },
    offer: ({ restart }) =>
      negotiate(async (pc) => {
        if (restart && !canRestart) throw new WiceError("unsupported", "this implementation cannot restart ICE");
        openChannels(pc);
        const { sdp = "" } = await pc.createOffer(restart ? { iceRestart: true } : {});
        await pc.setLocalDescription({ type: "offer", sdp });
        return localDescription(pc);
      }),
    answer: (offer) =>
      negotiate(async (pc) => {
        if (pc.signalingState === "have-local-offer") await rollBack(pc);
        await takeRemote(pc, "offer", offer);
        openChannels(pc);
        const { sdp = "" } = await pc.createAnswer();
        await pc.setLocalDescription({ type: "answer", sdp });
        negotiated = true;
        return localDescription(pc);
      }),
    accept: (answer) =>
      negotiate(async (pc) => {
        await takeRemote(pc, "answer", answer);
        negotiated = true;
      }),
    addCandidates(candidates: readonly Candidate[]) {
      for (const candidate of candidates) addCandidate(formatCandidate(candidate));
    },
    endCandidates() {},
    control,
    main,
    openChannel(label, { ordered = true, maxRetransmits, maxPacketLifeTimeMs, protocol }: ChannelOptions) {
      if (native === undefined || closing.signal.aborted) throw closed();
      const init = {
        ordered,
        ...(maxRetransmits !== undefined && { maxRetransmits }),
        ...(maxPacketLifeTimeMs !== undefined && { maxPacketLifeTime: maxPacketLifeTimeMs }),
        ...(protocol !== undefined && { protocol }),
      };
      const reliable = maxRetransmits === undefined && maxPacketLifeTimeMs === undefined;
      let data: DataChannelLike;
      try {
        data = native.createDataChannel(label, init);
      } catch (cause) {
        throw new WiceError("invalid-argument", "no channel can be opened with these options", { cause });
      }
      const made = createRtcChannel({
        ...{ label, id: data.id ?? -1, reliable, maxMessageBytes },
        onChange: () => made.state === "closed" && channels.delete(made),
      });
      channels.add(made);
      made.bind(data);
      return made;
    },
    async selectedPair(): Promise<SelectedPair | undefined> {
      return native === undefined || closing.signal.aborted ? undefined : readSelectedPair(native);
    },
    close() {
      if (state === "closed") return;
      state = "closed";
      release();
    },
  };
}

function closed(): WiceError {
  return new WiceError("closed", "the connection is closed");
}

function asFailure(error: unknown): unknown {
  return isWiceError(error)
    ? error
    : new WiceError("unsupported", "the WebRTC implementation failed", { cause: error });
}

/**
 * Whether ICE can be restarted. On a connection that has negotiated nothing yet `restartIce` has nothing to restart, so that
 * asking costs nothing; who cannot do it throws.
 */
function probeRestart(pc: PeerConnectionLike): boolean {
  try {
    const { restartIce } = pc as { restartIce?: () => void };
    restartIce?.call(pc);
    return restartIce !== undefined;
  } catch {
    return false;
  }
}

/** Takes our offer back. Some implementations ignore that. */
async function rollBack(pc: PeerConnectionLike): Promise<void> {
  const cannot = "this implementation cannot take an offer back";
  try {
    await pc.setLocalDescription({ type: "rollback" });
  } catch (cause) {
    throw new WiceError("unsupported", cannot, { cause });
  }
  if (pc.signalingState !== "stable") throw new WiceError("unsupported", cannot);
}

function stateOf(pc: PeerConnectionLike, channels: readonly RtcChannel[], before: ConnectionState): ConnectionState {
  if (channels.some((channel) => channel.state === "closed")) return "closed";
  switch (pc.connectionState) {
    case "closed":
      return "closed";
    case "failed":
      return "failed";
    case "disconnected":
      return before === "new" ? "new" : "disconnected";
    case "connected":
      return channels.every((channel) => channel.state === "open") ? "connected" : before;
    default:
      return before;
  }
}
