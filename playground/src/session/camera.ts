/** The camera and the microphone; where there is no camera, a moving picture that the page draws. */

export interface Camera {
  readonly stream: MediaStream;
  /** By the page: a call can be seen all the same. */
  readonly drawn: boolean;
}

/** Rejects with an error for people when the page may not have them. */
export async function openCamera(): Promise<Camera> {
  const { mediaDevices } = navigator as { mediaDevices?: MediaDevices };
  // Many a machine has a camera and no microphone.
  for (const audio of [true, false]) {
    try {
      if (mediaDevices !== undefined)
        return { stream: await mediaDevices.getUserMedia({ video: true, audio }), drawn: false };
    } catch (error) {
      if (!(error instanceof DOMException) || !missing.has(error.name))
        throw new Error("The browser does not let this page use the camera. Allow it for this page, and call again.");
    }
  }
  return { stream: drawPicture(), drawn: true };
}

const missing: ReadonlySet<string> = new Set(["NotFoundError", "NotReadableError", "OverconstrainedError"]);

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
