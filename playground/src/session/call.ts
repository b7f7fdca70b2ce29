/** Picture and sound over a session: tracks are added and taken away, and the session negotiates anew by itself. */

import type { Session } from "@wice/core";

export interface Call {
  /** Shows ours to the other side, until {@link hangUp}; also when another connection takes this one's place. */
  start(stream: MediaStream): void;
  hangUp(): void;
}

/** `onRemote` is called with what the other side shows, and with nothing when it does not any more. */
export function createCall(
  session: Session<RTCPeerConnection>,
  onRemote: (stream: MediaStream | undefined) => void,
): Call {
  let own: MediaStream | undefined;
  let connection: RTCPeerConnection | undefined;
  let listening = new AbortController();

  const show = (stream: MediaStream): void => {
    onRemote(stream);
    stream.onremovetrack = () => {
      if (stream.getTracks().length === 0) onRemote(undefined);
    };
  };
  const attach = (): void => {
    if (connection === session.connection) return;
    listening.abort();
    listening = new AbortController();
    connection = session.connection;
    connection.addEventListener("track", ({ streams: [stream] }) => stream && show(stream), {
      signal: listening.signal,
    });
    onRemote(undefined);
    for (const track of own?.getTracks() ?? []) connection.addTrack(track, own as MediaStream);
  };
  const follow = async (): Promise<void> => {
    for await (const { type } of session.status()) if (type === "connection" || type === "moved") attach();
    listening.abort();
    for (const track of own?.getTracks() ?? []) track.stop();
    own = undefined;
    onRemote(undefined);
  };
  attach();
  void follow();

  return {
    start(stream) {
      own = stream;
      for (const track of stream.getTracks()) session.connection.addTrack(track, stream);
    },
    hangUp() {
      const tracks = own?.getTracks() ?? [];
      own = undefined;
      for (const sender of connection?.getSenders() ?? []) {
        if (sender.track !== null && tracks.includes(sender.track)) connection?.removeTrack(sender);
      }
      for (const track of tracks) track.stop();
    },
  };
}

/**
 * The camera and the microphone; where there is no camera, a moving picture that the page draws, so that a call can be
 * seen all the same. Rejects with an error for people when it may not have them.
 */
export async function openCamera(): Promise<{ readonly stream: MediaStream; readonly drawn: boolean }> {
  const { mediaDevices } = navigator as { mediaDevices?: MediaDevices };
  if (mediaDevices === undefined) return { stream: drawPicture(), drawn: true };
  try {
    return { stream: await mediaDevices.getUserMedia({ video: true, audio: true }), drawn: false };
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (["NotFoundError", "NotReadableError", "OverconstrainedError"].includes(name))
      return { stream: drawPicture(), drawn: true };
    throw new Error("The browser does not let this page use the camera. Allow it for this page, and call again.");
  }
}

const [width, height] = [320, 240];
const drawEveryMs = 100;

function drawPicture(): MediaStream {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const stream = canvas.captureStream(1_000 / drawEveryMs);
  const draw = (): void => {
    const angle = performance.now() / 900;
    context.fillStyle = "#14343a";
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#6cc9d3";
    context.beginPath();
    context.arc(width / 2 + 70 * Math.cos(angle), height / 2 + 50 * Math.sin(angle), 22, 0, 2 * Math.PI);
    context.fill();
    context.font = "16px system-ui, sans-serif";
    context.fillText("a picture without a camera", 12, height - 14);
    if (stream.getTracks().some(({ readyState }) => readyState === "live")) setTimeout(draw, drawEveryMs);
  };
  draw();
  return stream;
}
