/** A browser's WebRTC by that of werift, and what was made of it. */

import { stubGlobal } from "./globals.ts";

export interface CountedConnections {
  /** Those that were ever made. */
  readonly made: number;
  /** Those that are not closed. */
  readonly open: number;
  /** What each was made with. */
  readonly configurations: readonly RTCConfiguration[];
}

/** Imported by name: its types are not the DOM's. */
const module: string = "werift";

/** Until the end of the test. */
export async function countConnections(): Promise<CountedConnections> {
  const { RTCPeerConnection: Original } = (await import(module)) as {
    readonly RTCPeerConnection: typeof RTCPeerConnection;
  };
  const all: RTCPeerConnection[] = [];
  const configurations: RTCConfiguration[] = [];
  stubGlobal(
    "RTCPeerConnection",
    class extends Original {
      constructor(configuration: RTCConfiguration = {}) {
        super(configuration);
        all.push(this);
        configurations.push(configuration);
      }
    },
  );
  return {
    configurations,
    get made() {
      return all.length;
    },
    get open() {
      return all.filter(({ connectionState }) => connectionState !== "closed").length;
    },
  };
}
