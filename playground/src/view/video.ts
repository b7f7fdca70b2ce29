/** The picture of somebody else; hidden while there is none. */

export function createVideo(video: HTMLVideoElement, label: string): (stream: MediaStream | undefined) => void {
  video.ariaLabel = label;
  return (stream) => {
    video.hidden = stream === undefined;
    video.srcObject = stream ?? null;
    // It starts without sound: two peers in one room would howl.
    video.controls = stream !== undefined;
    // It plays by itself the first time only. One that goes meanwhile is not played, and that is no failure.
    if (stream !== undefined) video.play().catch(() => {});
  };
}
