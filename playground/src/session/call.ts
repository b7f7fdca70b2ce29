/** Picture and sound over a session: tracks are added and taken away, and the session negotiates anew by itself. */

import type { Session } from "@wice/core";
import { type Camera, openCamera } from "./camera.ts";

export interface Call {
  /**
   * Shows ours to the other side until {@link hangUp}, also when another connection takes this one's place. Resolves
   * with nothing where that came first: somebody may think for long before the page may use the camera.
   */
  start(): Promise<Camera | undefined>;
  /** Idempotent. */
  hangUp(): void;
}

export interface CallEvents {
  /** What the other side shows; nothing when it does not any more. */
  onRemote(stream: MediaStream | undefined): void;
  /** Ours is not shown any more, and nobody has hung up: the session is over, or the camera is gone. */
  onEnd(): void;
}

export function createCall(session: Session<RTCPeerConnection>, { onRemote, onEnd }: CallEvents): Call {
  let own: MediaStream | undefined;
  let latest: object | undefined;
  let connection: RTCPeerConnection | undefined;
  let listening = new AbortController();

  const show = (stream: MediaStream): void => {
    onRemote(stream);
    stream.onremovetrack = () => {
      if (stream.getTracks().length === 0) onRemote(undefined);
    };
  };
  const addOwn = (): void => {
    if (own === undefined || connection?.signalingState === "closed") return;
    for (const track of own.getTracks()) connection?.addTrack(track, own);
  };
  /** Takes up the session's connection when that is another one. */
  const attach = (): void => {
    if (connection === session.connection) return;
    listening.abort();
    listening = new AbortController();
    connection = session.connection;
    connection.addEventListener("track", ({ streams: [stream] }) => stream && show(stream), {
      signal: listening.signal,
    });
    onRemote(undefined);
    addOwn();
  };
  const hangUp = (): void => {
    latest = undefined;
    const tracks = own?.getTracks() ?? [];
    own = undefined;
    if (connection?.signalingState !== "closed") {
      for (const sender of connection?.getSenders() ?? [])
        if (sender.track !== null && tracks.includes(sender.track)) connection?.removeTrack(sender);
    }
    for (const track of tracks) track.stop();
  };
  const end = (): void => {
    hangUp();
    onEnd();
  };
  const follow = async (): Promise<void> => {
    for await (const { type } of session.status()) if (type === "connection" || type === "moved") attach();
    listening.abort();
    onRemote(undefined);
    end();
  };
  attach();
  void follow();

  return {
    async start() {
      hangUp();
      const wanted = {};
      latest = wanted;
      const camera = await openCamera();
      const tracks = camera.stream.getTracks();
      if (latest !== wanted) {
        for (const track of tracks) track.stop();
        return undefined;
      }
      attach();
      own = camera.stream;
      for (const track of tracks) track.onended = end;
      addOwn();
      return camera;
    },
    hangUp,
  };
}
