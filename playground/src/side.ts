/** One of the peers of the page at work: its station, its session with the other, and what its card shows. */

import {
  isWiceError,
  type PrivateKey,
  PublicKey,
  type Session,
  type TimelineEntry,
  type Verdict,
  type WiceError,
} from "@wice/core";
import { failureText } from "./failure-text.ts";
import type { RelayChoice } from "./relay-choice.ts";
import { type Call, createCall } from "./session/call.ts";
import { isFile, maxFileBytes, receiveFile, sendFile } from "./session/file.ts";
import { createTalk, type Talk } from "./session/talk.ts";
import { countThroughput, isThroughput } from "./session/throughput.ts";
import { openStation, type Station } from "./station.ts";
import { short, size } from "./text.ts";
import type { Delivery, PeerView } from "./view/peer-view.ts";
import type { RelayView } from "./view/relay-view.ts";
import { element } from "./view/slots.ts";
import type { TransportObserver, Weather } from "./weather.ts";

export interface SideOptions {
  readonly name: string;
  readonly otherName: string;
  readonly privateKey: PrivateKey;
  readonly relay: RelayChoice;
  readonly weather: Readonly<Weather>;
  readonly observer: TransportObserver;
  readonly view: PeerView;
  readonly relayView: RelayView;
  nameOf(key: PublicKey): string | undefined;
  /** Whether a stranger may call; whom it is with already may in any case. */
  accept(key: PublicKey): boolean;
  /** Something is different: the session, or why there is none. */
  onChange(): void;
}

export interface Side {
  readonly key: PublicKey;
  /** The other; undefined until somebody is called or has called. */
  readonly other: PublicKey | undefined;
  readonly session: Session<RTCPeerConnection> | undefined;
  readonly talk: Talk | undefined;
  /** Resolves when it can be called, or it is known that it cannot for now. */
  readonly ready: Promise<unknown>;
  verdict(): Verdict;
  /** What has happened with the other, before there is a session and after its end as well. */
  timeline(): readonly TimelineEntry[];
  /** How long the session took to be had, in milliseconds; undefined where the other side has called. */
  readonly tookMs: number | undefined;
  /** A session is waited for, since {@link connect}. */
  readonly isCalling: boolean;
  connect(key: PublicKey): void;
  /** Also gives up what is not connected yet. */
  close(): void;
  cut(): void;
  /** Goes without a word, and starts again. */
  crash(): void;
}

const maxPast = 256;

/** It is connected, and not handed over yet. */
const almost: Verdict = { code: "connecting", text: "there is a path", next: "wait a moment" };

const atRelay = "see what the relay’s card says";

interface Live {
  readonly session: Session<RTCPeerConnection>;
  readonly talk: Talk;
  readonly call: Call;
}

export function createSide(options: SideOptions): Side {
  const { name, otherName, privateKey, view, relayView, onChange } = options;
  const key = privateKey.publicKey;
  const indirectly = `through the ${options.relay.serverless ? "browser" : "relay"}`;
  let station: Station;
  let other: PublicKey | undefined;
  let live: Live | undefined;
  let wanting: AbortController | undefined;
  let tookMs: number | undefined;
  /** Why nobody can call us now. */
  let away: WiceError | undefined;
  let past: readonly TimelineEntry[] = [];
  let onReady = (): void => {};
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });

  const accept = (caller: PublicKey): boolean => (other === undefined ? options.accept(caller) : other.equals(caller));

  const start = (): void => {
    station = openStation({ ...options, accept });
    void showSubscription(station);
    void showMessages(station);
    void takeCalls(station);
    void followPeer(station);
  };

  const adopt = (session: Session<RTCPeerConnection>): void => {
    if (live?.session === session) return;
    // There is one to look at: the one before is with a page that has gone, or with another device of the same key.
    void live?.session.close();
    other = session.remote;
    const isLive = (): boolean => live?.session === session;
    const talk = createTalk(session, (text) => view.showReceived(text, ...from(session.remote), " · directly"));
    const call = createCall(session, {
      onRemote: (stream) => isLive() && view.showRemote(stream),
      onEnd: () => isLive() && view.showCallEnd(),
    });
    live = { session, talk, call };
    view.showRemote(undefined);
    view.showCallEnd();
    void takeChannels(session);
    void followSession(session);
    onChange();
    view.showSession(true);
  };

  const followSession = async (session: Session<RTCPeerConnection>): Promise<void> => {
    for await (const { type } of session.status()) {
      if (live?.session === session) view.showSession(type !== "closed" && session.state === "connected");
      onChange();
    }
    if (live?.session === session) {
      past = session.timeline();
      live = undefined;
      tookMs = undefined;
    }
    onChange();
  };

  const takeChannels = async (session: Session): Promise<void> => {
    for await (const channel of session.channels) {
      if (isThroughput(channel)) countThroughput(channel).catch(ignoreLoss);
      else if (isFile(channel))
        receiveFile(session, channel).then((transfer) => transfer && view.showIncomingFile(transfer), ignoreLoss);
      else void channel.close();
    }
  };

  const takeCalls = async (its: Station): Promise<void> => {
    try {
      for await (const session of its.peer.incoming) {
        if (its !== station) return;
        // Two may have been let in at the same time.
        if (accept(session.remote)) adopt(session);
        else void session.close({ reason: "somebody else came first" });
      }
    } catch (error) {
      // The relay refuses us: the verdict and its card tell of it.
      if (!isWiceError(error)) throw error;
    }
  };

  const remember = (entry: TimelineEntry): void => {
    const last = past.at(-1);
    if (last?.event === entry.event && last.text === entry.text) {
      past = [...past.slice(0, -1), { ...last, times: (last.times ?? 1) + 1, lastAtMs: entry.atMs }];
    } else past = [...past, entry].slice(-maxPast);
  };

  const followPeer = async (its: Station): Promise<void> => {
    for await (const status of its.peer.status()) {
      if (its !== station) return;
      if (status.type === "peer" && live === undefined && other?.equals(status.key) === true) remember(status);
      onChange();
    }
  };

  /** What comes through the relay, of anybody. */
  const showMessages = async ({ backend }: Station): Promise<void> => {
    try {
      for await (const { sender, message, fresh } of await backend.subscribe({
        ours: privateKey,
        theirs: PublicKey.any,
      })) {
        if (message.payload === undefined) continue;
        const text = new TextDecoder().decode(message.payload);
        view.showReceived(text, ...from(sender), ` · ${indirectly}, ${fresh ? "fresh" : "perhaps a recording"}`);
      }
    } catch (error) {
      // The status has told of it as well, and is shown.
      if (!isWiceError(error)) throw error;
    }
  };

  const showSubscription = async (its: Station): Promise<void> => {
    for await (const status of its.backend.status()) {
      // What one that has crashed goes through, nobody sees.
      if (its !== station) return;
      if (status.type === "retrying") continue;
      view.showSubscription(status.type);
      onReady();
      away = status.type === "subscribed" ? undefined : status.error;
      relayView.update(name, status.type, away);
      onChange();
    }
  };

  const from = (sender: PublicKey): readonly (Node | string)[] => [
    "from ",
    options.nameOf(sender) ?? "a stranger",
    " ",
    element("code", "", short(sender)),
  ];

  const say = async (text: string): Promise<Delivery> => {
    if (live?.session.state === "connected") {
      try {
        return { how: "directly", receipt: (await live.talk.say(text)) === "got" };
      } catch (error) {
        // Where it has not left, there is another way.
        if (!isWiceError(error, "closed")) throw new Error(failureText(error, otherName), { cause: error });
      }
    }
    if (other === undefined) throw new Error("Not sent: there is nobody yet to send it to. Let somebody in first.");
    try {
      const pair = { ours: privateKey, theirs: other };
      await station.backend.publish(pair, { payload: new TextEncoder().encode(text) }, { until: "delivered" });
      return { how: indirectly, receipt: true };
    } catch (error) {
      throw new Error(failureText(error, otherName), { cause: error });
    }
  };

  const needLive = (): Live => {
    if (live === undefined) throw new Error("There is no session. Connect first.");
    return live;
  };

  start();
  view.showKey(key);
  view.act({
    say,
    sendFile(file) {
      if (file.size > maxFileBytes)
        throw new Error(
          `The file has ${size(file.size)}; this page keeps it in memory and takes ${size(maxFileBytes)}.`,
        );
      return sendFile(needLive().session, file);
    },
    async call() {
      const camera = await needLive().call.start();
      return camera?.drawn === true
        ? "There is no camera here: the other side sees a picture that this page draws."
        : undefined;
    },
    hangUp: () => live?.call.hangUp(),
  });

  return {
    key,
    ready,
    get other() {
      return other;
    },
    get session() {
      return live?.session;
    },
    get talk() {
      return live?.talk;
    },
    get tookMs() {
      return tookMs;
    },
    verdict() {
      if (live !== undefined) return live.session.explain();
      if (other !== undefined) {
        const verdict = station.peer.explain(other);
        return verdict.code === "connected" ? almost : verdict;
      }
      if (away !== undefined)
        return { code: "relay-unreachable", text: `nobody can come in: ${away.message}`, next: atRelay };
      return { code: "idle", text: "nobody has come in yet", next: "open the link at the other side" };
    },
    timeline: () => live?.session.timeline() ?? past,
    get isCalling() {
      return wanting !== undefined;
    },
    connect(theirs) {
      other = theirs;
      wanting?.abort();
      const attempt = new AbortController();
      wanting = attempt;
      const startMs = performance.now();
      const { signal } = attempt;
      const settle = (): void => {
        if (wanting === attempt) wanting = undefined;
      };
      station.peer.connect(theirs, { signal }).then(
        (session) => {
          if (wanting === attempt) tookMs = performance.now() - startMs;
          settle();
          adopt(session);
        },
        (error: unknown) => {
          if (!signal.aborted && !isWiceError(error)) throw error;
          settle();
          onChange();
        },
      );
      onChange();
    },
    close() {
      wanting?.abort();
      void live?.session.close();
    },
    cut: () => station.cut(),
    crash() {
      live = undefined;
      view.showSession(false);
      view.showCallEnd();
      view.showRemote(undefined);
      view.showSubscription("connecting");
      station.crash();
      start();
      onChange();
    },
  };
}

function ignoreLoss(error: unknown): void {
  if (!isWiceError(error)) throw error;
}
