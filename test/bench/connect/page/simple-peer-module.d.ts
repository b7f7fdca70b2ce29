/** What we use of simple-peer, which has no types of its own. */

declare module "simple-peer/simplepeer.min.js" {
  /** A description or a candidate. */
  export type SignalData = object;

  export interface Instance {
    signal(data: SignalData): void;
    send(data: Uint8Array): void;
    destroy(): void;
    on(event: "signal", listener: (data: SignalData) => void): void;
    on(event: "data", listener: (data: Uint8Array) => void): void;
    on(event: "connect" | "close", listener: () => void): void;
    on(event: "error", listener: (error: Error) => void): void;
  }

  const SimplePeer: new (options: { initiator: boolean; config: RTCConfiguration }) => Instance;
  // biome-ignore lint/style/noDefaultExport: it is the library's.
  export default SimplePeer;
}
