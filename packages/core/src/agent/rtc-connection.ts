/** One RTCPeerConnection as a connection of an agent. */

import { WiceError } from "../errors.ts";
import type { AgentConnection, AgentDescription, ChannelOptions, ConnectionOptions } from "./agent.ts";
import { type Candidate, formatCandidate } from "./candidate.ts";
import type { LiveIceServers } from "./ice-servers.ts";
import { closeQuietly, createOffer, type RestartAbility, rollBack } from "./rtc-abilities.ts";
import { createRtcChannel, type EarlyMessages, type RtcChannel, type RtcChannelOptions } from "./rtc-channel.ts";
import { hear } from "./rtc-events.ts";
import { closed, createNegotiations } from "./rtc-negotiations.ts";
import {
  type DataChannelLike,
  type IceServer,
  listen,
  type PeerConnectionConfiguration,
  type PeerConnectionLike,
} from "./rtc-types.ts";
import { watchRtc } from "./rtc-watch.ts";
import { attributeOf, describeSdp, readSdp } from "./sdp.ts";
import { readSelectedPair } from "./selected-pair.ts";

export interface RtcConnectionOptions<Native> extends ConnectionOptions {
  servers: LiveIceServers["current"];
  configure(servers: readonly IceServer[]): PeerConnectionConfiguration;
  open(configuration: PeerConnectionConfiguration): Native;
  /** Shared by all connections of the implementation. */
  readonly restart: RestartAbility;
}

/** What a peer takes that does not say (RFC 8841, section 6.1). */
const usualMessageBytes = 65_536;
/** Some say that they take anything. */
const mostMessageBytes = 262_144;

/** Of the peer's, with one set of credentials: each costs a check for each of ours. */
const maxCandidates = 64;

/** When a restart of ICE should have come to something. */
const confirmMs = 5_000;

/**
 * In front of the protocol of a channel that may lose messages: `node-datachannel` does not tell that to whom the channel is
 * opened.
 */
const lossyMark = "~";

export function connectRtc<Native extends PeerConnectionLike>(
  options: RtcConnectionOptions<Native>,
): AgentConnection<Native> {
  const { events, restart: restarting } = options;
  const closing = new AbortController();
  const negotiations = createNegotiations(closing.signal);
  const stops: (() => void)[] = [];
  const channels = new Set<RtcChannel>();
  const early: EarlyMessages = { cost: 0, onOverflow: () => fail() };
  /** Those that came before the peer's description. */
  const heldCandidates: Candidate[] = [];
  let native: Native | undefined;
  let servers: readonly IceServer[] = [];
  let confirming: unknown;
  let channelsOpen = false;
  /** Of our description that was agreed on last. */
  let agreedUfrag: string | undefined;
  let remote: Remote | undefined;
  /** How many candidates of the peer's were taken with its present credentials. */
  let candidatesTaken = 0;

  const maxMessageBytes = (): number => {
    const said = [native?.sctp?.maxMessageSize, remote?.maxMessageBytes];
    // 0 is any size, too.
    return Math.min(mostMessageBytes, ...said.map((size) => size || mostMessageBytes));
  };
  const add = (of: Omit<RtcChannelOptions, "early" | "maxMessageBytes" | "onChange">): RtcChannel => {
    const onChange = (): void => {
      if (of.lasting) watch.look();
      else if (channel.state === "closed") channels.delete(channel);
    };
    const channel = createRtcChannel({ ...of, early, maxMessageBytes, onChange });
    channels.add(channel);
    return channel;
  };
  const control = add({ label: "wice", id: 0, reliable: true, lasting: true });
  const main = add({ label: "data", id: 1, reliable: true, lasting: true });

  const watch = watchRtc([control, main], (state, failure) => {
    if (state === "closed") release(true);
    events.onState(state, ...(failure === undefined ? [] : [failure]));
  });
  /** It cannot go on, and says so. */
  const fail = (): void => {
    release(true);
    events.onState("closed", new WiceError("protocol", "the peer sends more than anybody takes"));
  };
  const release = (told: boolean): void => {
    closing.abort();
    clearTimeout(confirming);
    watch.declare("closed");
    for (const stop of stops.splice(0)) stop();
    for (const channel of [...channels]) channel.end(told);
    closeQuietly(native);
  };

  const askServers = (): Promise<readonly IceServer[]> => options.servers(closing.signal, events.onServerError);
  /** Makes the connection, once the servers are known. */
  const open = async (): Promise<Native> => {
    if (native !== undefined) return native;
    servers = await askServers();
    if (closing.signal.aborted) throw closed();
    const pc = make();
    native = pc;
    watch.begin(pc);
    stops.push(
      hear(pc, { events, tell: negotiations.tell, isNegotiated: () => agreedUfrag !== undefined }),
      listen<{ channel: DataChannelLike }>(pc, "datachannel", ({ channel }) => onDataChannel(channel)),
    );
    return pc;
  };
  const make = (): Native => {
    try {
      return options.open(options.configure(servers));
    } catch (cause) {
      if (servers.length === 0) throw cause;
      // Better without them than not at all.
      const made = options.open(options.configure([]));
      events.onServerError({ url: "iceServers", code: 701, text: "WebRTC does not take them: are they mistyped?" });
      return made;
    }
  };
  /** Throws `unsupported` where ICE cannot be restarted; else gets servers that are good now, and looks what comes of it. */
  const prepareRestart = async (pc: Native): Promise<void> => {
    if (!restarting.can) throw new WiceError("unsupported", cannotRestart);
    const before = servers;
    servers = await askServers();
    if (servers !== before) reconfigure(pc);
    // Without statistics nothing can be said afterwards.
    if ((await readSelectedPair(pc)) === undefined || closing.signal.aborted) return;
    clearTimeout(confirming);
    confirming = setTimeout(() => void confirmRestart(pc), confirmMs);
  };
  const reconfigure = (pc: Native): void => {
    try {
      pc.setConfiguration?.(options.configure(servers));
    } catch {
      // It goes on with those that it has.
    }
  };
  /** werift makes new credentials, drops the path, looks for no other, and says that all is well. */
  const confirmRestart = async (pc: Native): Promise<void> => {
    const pair = await readSelectedPair(pc);
    if (pair !== undefined || closing.signal.aborted || watch.state !== "connected") return;
    restarting.disprove();
    watch.declare("failed");
    events.onState("failed");
  };

  const onDataChannel = (data: DataChannelLike): void => {
    const { label, id, protocol, maxRetransmits, maxPacketLifeTime } = data;
    const lossy = protocol.startsWith(lossyMark) || (maxRetransmits ?? maxPacketLifeTime ?? null) !== null;
    const channel = add({ label, id: id ?? undefined, reliable: !lossy, lasting: false });
    channel.bind(data);
    events.onChannel(channel);
  };
  /** Before our first offer, but after one of the peer's: libdatachannel would make one of its own for them. */
  const openChannels = (pc: Native): void => {
    if (channelsOpen) return;
    channelsOpen = true;
    for (const channel of [control, main])
      channel.bind(pc.createDataChannel(channel.label, { negotiated: true, id: channel.id, ordered: true }));
  };

  const describe = (pc: Native): AgentDescription => describeSdp(pc.localDescription?.sdp ?? "");
  const takeRemote = async (pc: Native, type: "offer" | "answer", sdp: string): Promise<void> => {
    try {
      await pc.setRemoteDescription({ type, sdp });
    } catch (cause) {
      throw new WiceError("invalid-message", `the peer's ${type} cannot be taken`, { cause });
    }
    const before = remote;
    remote = readRemote(sdp);
    if (before?.ufrag !== remote.ufrag) candidatesTaken = 0;
    watch.described();
    for (const candidate of heldCandidates.splice(0)) addCandidate(candidate);
  };
  const addCandidate = (candidate: Candidate): void => {
    if (remote === undefined) {
      if (heldCandidates.length < maxCandidates) heldCandidates.push(candidate);
      return;
    }
    candidatesTaken += 1;
    if (candidatesTaken > maxCandidates) return;
    const { ufrag: usernameFragment, mid: sdpMid } = remote;
    const line = { candidate: formatCandidate(candidate), sdpMid, sdpMLineIndex: 0, usernameFragment };
    // What ICE does not like is the peer's mistake, or of credentials that are no more.
    native?.addIceCandidate(line).catch(() => {});
  };

  return {
    get state() {
      return watch.state;
    },
    get native() {
      if (native === undefined) throw new WiceError("unavailable", "there is no connection yet", { retryable: true });
      return native;
    },
    protection: "dtls",
    get canRestart() {
      return restarting.can;
    },
    offer: ({ restart }) =>
      negotiations.run(async () => {
        const pc = await open();
        if (restart) await prepareRestart(pc);
        openChannels(pc);
        const sdp = await createOffer(pc, restart);
        await pc.setLocalDescription({ type: "offer", sdp });
        const offer = describe(pc);
        if (!restart || offer.ufrag !== agreedUfrag) return offer;
        restarting.disprove();
        throw new WiceError("unsupported", cannotRestart);
      }),
    answer: ({ sdp }) =>
      negotiations.run(async () => {
        const offer = readSdp(sdp);
        const pc = await open();
        if (pc.signalingState === "have-local-offer") {
          // Chromium finds no candidates after that, when it is the first connection of a page; and a new one is as good.
          if (agreedUfrag === undefined) throw new WiceError("unsupported", "a first offer is not taken back");
          await rollBack(pc);
        }
        const isRestart = remote !== undefined && remote.ufrag !== attributeOf(offer, "ice-ufrag");
        if (isRestart) await prepareRestart(pc);
        await takeRemote(pc, "offer", offer);
        openChannels(pc);
        const { sdp: made = "" } = await pc.createAnswer();
        await pc.setLocalDescription({ type: "answer", sdp: made });
        const answer = describe(pc);
        if (!isRestart && agreedUfrag !== undefined && answer.ufrag !== agreedUfrag)
          throw new WiceError("unsupported", "this WebRTC implementation did not take back all of an offer");
        agreedUfrag = answer.ufrag;
        return answer;
      }),
    accept: ({ sdp }) =>
      negotiations.run(async () => {
        const answer = readSdp(sdp);
        if (native?.signalingState !== "have-local-offer")
          throw new WiceError("invalid-message", "the peer answers an offer that nobody made");
        await takeRemote(native, "answer", answer);
        agreedUfrag = describe(native).ufrag;
      }),
    addCandidates(candidates) {
      if (!closing.signal.aborted) for (const candidate of candidates) addCandidate(candidate);
    },
    // WebRTC waits for candidates that only the path reveals in any case.
    endCandidates() {},
    control,
    main,
    openChannel(label, channelOptions) {
      if (native === undefined || closing.signal.aborted) throw closed();
      const init = channelInit(channelOptions);
      let data: DataChannelLike;
      try {
        data = native.createDataChannel(label, init);
      } catch (cause) {
        throw new WiceError("invalid-argument", "no channel can be opened with these options", { cause });
      }
      const channel = add({ label, id: data.id ?? undefined, reliable: !isLossy(channelOptions), lasting: false });
      channel.bind(data);
      return channel;
    },
    selectedPair: async () => (native === undefined || closing.signal.aborted ? undefined : readSelectedPair(native)),
    close() {
      if (closing.signal.aborted) return;
      release(false);
    },
  };
}

/** Facts of the peer's description. */
interface Remote {
  readonly ufrag: string;
  readonly mid: string;
  readonly maxMessageBytes: number;
}

function readRemote(sdp: string): Remote {
  const size = /^\d+$/.exec(attributeOf(sdp, "max-message-size") ?? "")?.[0];
  return {
    ufrag: attributeOf(sdp, "ice-ufrag") ?? "",
    mid: attributeOf(sdp, "mid") ?? "0",
    maxMessageBytes: Number(size ?? usualMessageBytes),
  };
}

const cannotRestart = "this WebRTC implementation cannot restart ICE";

function isLossy({ maxRetransmits, maxPacketLifeTimeMs }: ChannelOptions): boolean {
  return maxRetransmits !== undefined || maxPacketLifeTimeMs !== undefined;
}

function channelInit(options: ChannelOptions): NonNullable<Parameters<PeerConnectionLike["createDataChannel"]>[1]> {
  const { ordered = true, maxRetransmits, maxPacketLifeTimeMs, protocol = "" } = options;
  if (maxRetransmits !== undefined && maxPacketLifeTimeMs !== undefined)
    throw new WiceError("invalid-argument", "maxRetransmits and maxPacketLifeTimeMs exclude each other");
  return {
    ordered,
    protocol: isLossy(options) ? lossyMark + protocol : protocol,
    ...(maxRetransmits !== undefined && { maxRetransmits }),
    ...(maxPacketLifeTimeMs !== undefined && { maxPacketLifeTime: maxPacketLifeTimeMs }),
  };
}
