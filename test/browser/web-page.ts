/** What the page of these tests can do for them. Peers go by a name that the test chose. */

import type { OpenPeerFunctions } from "./open-peer-page.ts";

export interface WebPage extends OpenPeerFunctions {
  /** Runs one case of a compliance suite of `@wice/core/testing`. */
  runCase(medium: Medium, suite: ComplianceSuite, name: string): Promise<void>;

  /** A backend with a key of its own. */
  openPeer(name: string, options: PeerOptions): Promise<{ readonly publicKey: string; readonly instance: string }>;
  /** The same by `openBackend`, which brings a key of the key store. */
  openPreset(
    name: string,
    options: PresetOptions,
  ): Promise<{ readonly publicKey: string; readonly warning?: string | undefined }>;
  /** Subscribes the peer's key, for any sender; resolves when live. What comes is kept. */
  subscribe(name: string): Promise<void>;
  publish(name: string, to: string, text: string, options?: PublishOptions): Promise<PublishReceipt>;
  /** Delivers them all at once. */
  publishAll(name: string, to: string, texts: readonly string[]): Promise<void>;
  /** Resolves when such a message is among those that came. */
  untilReceived(name: string, text: string): Promise<Received>;
  received(name: string): readonly string[];
  /** Resolves when the backend reported such a status, since it was opened; the first is returned. */
  untilStatus(name: string, type: StatusText["type"]): Promise<StatusText>;
  statuses(name: string): readonly StatusText[];
  closePeer(name: string): Promise<void>;

  /** Opens a store of keys and asks it for one. */
  openKey(store: string, key: string): Promise<KeyReport>;
  importKey(store: string, key: string, text: string, options?: { readonly extractable?: boolean }): Promise<KeyReport>;
  exportKey(store: string, key: string): Promise<string>;
  listKeys(store: string): Promise<readonly { name: string; publicKey: string; extractable: boolean }[]>;
  deleteKey(store: string, key: string): Promise<void>;
  /** Everything in the database that is bytes or text: where a private key could be read. */
  readableValues(store: string): Promise<readonly string[]>;

  /** Whether the browser offers here what it keeps for secure contexts. */
  isSecure(): boolean;
  /** Resolves when the browser has said so, since the page was loaded. */
  untilHappening(what: "freeze" | "resume" | "back" | "hidden" | "visible" | "online" | "offline"): Promise<void>;
  /** Resolves after so many events of a timer, which are 100 ms apart, or as much as the browser makes of it. */
  untilTicks(count: number): Promise<void>;
  /** Does nothing else for so long. */
  hang(ms: number): void;
  /** Breaks the rules of the page, to show that it is noticed. */
  misbehave(how: "eval" | "inline script" | "console" | "uncaught" | "reject"): void;
}

export type ComplianceSuite = "transport" | "backend";

/** What carries the envelopes. */
export type Medium =
  | { readonly kind: "inprocess" }
  /** With two tabs, every second transport lives in another one. */
  | { readonly kind: "transport"; readonly transport: TransportOptions; readonly tabs?: 2 };

export interface TransportOptions {
  /** `http:`, `https:` or `broadcast:NAME`. */
  readonly relay: string;
  readonly protocol?: "connect" | "grpc-web";
  readonly shareStream?: boolean;
  readonly heartbeatMs?: number;
  readonly publishTimeoutMs?: number;
  readonly subscribeTimeoutMs?: number;
}

export interface PeerOptions extends TransportOptions {
  /** Base64. Default: a new one. */
  readonly privateKey?: string;
}

export interface PresetOptions {
  readonly relay: string;
  readonly key: string;
}

export interface PublishOptions {
  readonly until?: "accepted" | "delivered";
  readonly timeoutMs?: number;
}

export interface PublishReceipt {
  readonly subscribers?: number | undefined;
  readonly instance?: string | undefined;
}

export interface Received {
  readonly sender: string;
  readonly instance: string | undefined;
}

export interface StatusText {
  readonly type: "subscribed" | "lost" | "retrying" | "refused";
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly retryInMs?: number | undefined;
}

export interface KeyReport {
  readonly publicKey: string;
  readonly protection: string;
  readonly warning: string | undefined;
}
