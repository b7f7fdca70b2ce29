/** Two peers in a page over an in-process network, the session between them, and the media that they exchange. */

import {
  createBackend,
  createInProcessNetwork,
  createPeer,
  generatePrivateKey,
  type Peer,
  type PrivateKey,
  rtc,
  type Session,
} from "@wice/core";
import type { RtcFunctions, Side } from "../rtc-functions.ts";
import { createLog, type Log } from "./log.ts";
import { paint, untilShows } from "./picture.ts";

interface End {
  readonly peer: Peer<RTCPeerConnection>;
  readonly session: Session<RTCPeerConnection>;
  readonly first: RTCPeerConnection;
  readonly tracks: Log<MediaStreamTrack>;
  readonly statuses: Log<string>;
  /** Which kinds of descriptions of ours came into force. */
  readonly agreed: ("offer" | "answer")[];
}

type Ends = Readonly<Record<Side, End>>;

export function createRtcSession(): Omit<RtcFunctions, "runAgentCase"> {
  const opened: RTCPeerConnection[] = [];
  let ends: Ends | undefined;
  const end = (side: Side): End => {
    if (ends === undefined) throw new Error("the peers have not met");
    return ends[side];
  };
  const show: RtcFunctions["show"] = (side, colour) => void end(side).session.connection.addTrack(paint(colour));
  const hide: RtcFunctions["hide"] = (side) => {
    const sender = senderOf(end(side));
    sender.track?.stop();
    end(side).session.connection.removeTrack(sender);
  };

  return {
    async meet() {
      class Remembered extends RTCPeerConnection {
        constructor(configuration?: RTCConfiguration) {
          super(configuration);
          opened.push(this);
        }
      }
      const agent = rtc<RTCPeerConnection>({ RTCPeerConnection: Remembered as never });
      const network = createInProcessNetwork();
      const open = (privateKey: PrivateKey): Peer<RTCPeerConnection> =>
        createPeer({ privateKey, backend: createBackend(network.connect()), agents: [agent], accept: () => true });
      const [one, other] = [open(generatePrivateKey()), open(generatePrivateKey())];
      const [ours, theirs] = await Promise.all([one.connect(other.publicKey), other.connect(one.publicKey)]);
      const made = [createEnd(one, ours), createEnd(other, theirs)] as const;
      const controlling = made.find(({ session }) => session.role === "controlling");
      const controlled = made.find(({ session }) => session.role === "controlled");
      if (controlling === undefined || controlled === undefined) throw new Error("the roles are not one of each");
      ends = { controlling, controlled };
    },
    async exchange() {
      const [one, other] = [end("controlling").session, end("controlled").session];
      await Promise.all([say(one, other), say(other, one)]);
    },
    show,
    showBoth(controlling, controlled) {
      show("controlling", controlling);
      show("controlled", controlled);
    },
    async replace(side, colour) {
      const sender = senderOf(end(side));
      const { track } = sender;
      await sender.replaceTrack(paint(colour));
      track?.stop();
    },
    hide,
    hideBoth() {
      hide("controlling");
      hide("controlled");
    },
    async untilSeen(side, colour) {
      await new Promise<void>((resolve, reject) => {
        void end(side).tracks.until((track) => {
          untilShows(track, colour).then(resolve, reject);
          return false;
        });
      });
    },
    async untilUnseen(side) {
      for (const track of end(side).tracks.all) {
        if (!track.muted) await new Promise((resolve) => track.addEventListener("mute", resolve, { once: true }));
      }
    },
    async restart(side) {
      const sides: readonly Side[] = ["controlling", "controlled"];
      const before = sides.map((each) => ufragOf(end(each)));
      end(side).session.restart();
      await Promise.all(sides.map((each, index) => untilRestarted(end(each), before[index])));
    },
    facts(side) {
      const { session, first, tracks, statuses, agreed } = end(side);
      return {
        statuses: statuses.all,
        tracks: tracks.all.length,
        offers: agreed.filter((type) => type === "offer").length,
        answers: agreed.filter((type) => type === "answer").length,
        sameConnection: session.connection === first,
      };
    },
    async part() {
      const { controlling, controlled } = { controlling: end("controlling"), controlled: end("controlled") };
      await controlling.session.close();
      await controlled.session.closed;
      await Promise.all([controlling.peer.close(), controlled.peer.close()]);
      for (const pc of opened) for (const { track } of pc.getSenders()) track?.stop();
      return opened.filter((pc) => pc.signalingState !== "closed").length;
    },
  };
}

function createEnd(peer: Peer<RTCPeerConnection>, session: Session<RTCPeerConnection>): End {
  const { connection: first } = session;
  const made: End = { peer, session, first, tracks: createLog(), statuses: createLog(), agreed: [] };
  first.addEventListener("track", ({ track }) => made.tracks.add(track));
  let last = first.currentLocalDescription?.sdp;
  first.addEventListener("signalingstatechange", () => {
    const { currentLocalDescription: local } = first;
    if (first.signalingState !== "stable" || local === null || local.sdp === last) return;
    last = local.sdp;
    if (local.type === "offer" || local.type === "answer") made.agreed.push(local.type);
  });
  void (async () => {
    for await (const { type } of session.status()) made.statuses.add(type);
  })();
  return made;
}

async function say(from: Session, to: Session): Promise<void> {
  const text = crypto.randomUUID();
  await from.send(new TextEncoder().encode(text));
  const { value } = await to[Symbol.asyncIterator]().next();
  const heard = new TextDecoder().decode(value);
  if (heard !== text) throw new Error(`${heard} came instead of ${text}`);
}

function senderOf({ session }: End): RTCRtpSender {
  const sender = session.connection.getSenders().find(({ track }) => track !== null);
  if (sender === undefined) throw new Error("it shows nothing");
  return sender;
}

function ufragOf({ session }: End): string | undefined {
  return /^a=ice-ufrag:(\S+)/m.exec(session.connection.currentLocalDescription?.sdp ?? "")?.[1];
}

async function untilRestarted(end: End, before: string | undefined): Promise<void> {
  const { connection } = end.session;
  const isDone = (): boolean => ufragOf(end) !== before && connection.iceConnectionState === "connected";
  const events = ["signalingstatechange", "iceconnectionstatechange"];
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (!isDone()) return;
      for (const event of events) connection.removeEventListener(event, look);
      resolve();
    };
    for (const event of events) connection.addEventListener(event, look);
    look();
  });
}
