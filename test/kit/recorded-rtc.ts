/** How an agent asks for ICE servers: WebRTC that takes down what it is made with, and then refuses to do anything. */

import { type IceServerSource, rtc, type ServerError } from "@wice/core";

export interface Asking {
  /** The servers that the next connection is made with, as WebRTC gets them. */
  next(): Promise<readonly unknown[]>;
  /** What was said of servers so far. */
  readonly errors: readonly ServerError[];
}

export function askBy(source: IceServerSource): Asking {
  const made: { readonly iceServers: readonly unknown[] }[] = [];
  const errors: ServerError[] = [];
  class RecordedPeerConnection {
    constructor(configuration: { readonly iceServers: readonly unknown[] }) {
      made.push(configuration);
    }
    addEventListener(): void {}
    removeEventListener(): void {}
    close(): void {}
  }
  const agent = rtc({ RTCPeerConnection: RecordedPeerConnection as never, iceServers: source });
  return {
    errors,
    async next() {
      const connection = agent.connect({
        role: "controlling",
        events: {
          onCandidate() {},
          onCandidatesComplete() {},
          onState() {},
          onNegotiationNeeded() {},
          onChannel() {},
          onServerError: (error) => errors.push(error),
        },
      });
      // It cannot offer anything.
      await connection.offer({ restart: false }).catch(() => {});
      connection.close();
      const configuration = made.pop();
      if (configuration === undefined) throw new Error("no connection was made");
      return configuration.iceServers;
    },
  };
}
