/** Pictures of one colour: made as a track, and recognised in one. */

import type { Colour } from "../rtc-functions.ts";

const size = 64;
const pixels: Readonly<Record<Colour, readonly [number, number, number]>> = {
  red: [255, 0, 0],
  lime: [0, 255, 0],
  blue: [0, 0, 255],
  yellow: [255, 255, 0],
};

/** A track that goes on for as long as it is not stopped. */
export function paint(colour: Colour): MediaStreamTrack {
  const context = createContext();
  const [track] = context.canvas.captureStream(30).getVideoTracks();
  if (track === undefined) throw new Error("the canvas has no track");
  // What does not change is not sent.
  const timer = setInterval(() => {
    if (track.readyState === "ended") return clearInterval(timer);
    context.fillStyle = colour;
    context.fillRect(0, 0, size, size);
  }, 30);
  return track;
}

/** Resolves when the track shows the colour. */
export async function untilShows(track: MediaStreamTrack, colour: Colour): Promise<void> {
  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = new MediaStream([track]);
  const context = createContext();
  try {
    await video.play();
    for (;;) {
      await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
      context.drawImage(video, 0, 0, size, size);
      const seen = context.getImageData(size / 2, size / 2, 1, 1).data;
      // Video is coded with losses.
      if (pixels[colour].every((value, index) => Math.abs(value - (seen[index] ?? -1_000)) < 60)) return;
    }
  } finally {
    video.srcObject = null;
  }
}

function createContext(): CanvasRenderingContext2D {
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("the page cannot paint");
  return context;
}
