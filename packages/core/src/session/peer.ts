/** One of our keys among its peers: calls them, is called, and has sessions with them. */

import type { Agent } from "../agent/agent.ts";
import type { Clock } from "../async/clock.ts";
import type { Backend } from "../backend/backend.ts";
import type { RandomBytes } from "../bytes.ts";
import type { CallOptions } from "../call-options.ts";
import type { WiceError } from "../errors.ts";
import type { PrivateKey } from "../private-key.ts";
import type { PublicKey } from "../public-key.ts";
import type { Session } from "./session.ts";
import type { TimelineEntry } from "./timeline.ts";
import type { Verdict } from "./verdict.ts";

export interface PeerOptions<SomeAgent extends Agent = Agent> {
  readonly privateKey: PrivateKey;
  /** Stays the caller's: closing the peer does not close it. */
  readonly backend: Backend;
  /** By preference; the controlling peer's first that both have is used. */
  readonly agents: readonly SomeAgent[];
  /**
   * Who may call: ICE tells a caller our addresses. Default: nobody but the keys that we connect to. False declines in
   * silence, and `"tell"` tells the caller. May be asked several times about one caller.
   */
  readonly accept?: ((key: PublicKey) => boolean | "tell") | undefined;
  /** How long a lost session that we began is tried to be had again, in milliseconds. Default: until it is closed. */
  readonly reconnectMs?: number | undefined;
  /** The same for one that the peer began. Default 60,000. */
  readonly reconnectIncomingMs?: number | undefined;
  /** Peers that something goes on with, at most; more callers are ignored. Default 1,024. */
  readonly maxPeers?: number | undefined;
  /** Calls back when the network may have changed, until the returned function is called. Browsers' is in `@wice/web`. */
  readonly watchNetwork?: ((onChange: () => void) => () => void) | undefined;
  /** For tests. Default: the platform's. */
  readonly clock?: Clock | undefined;
  readonly random?: RandomBytes | undefined;
}

export interface Peer<Native = unknown> extends AsyncDisposable {
  readonly publicKey: PublicKey;
  /**
   * A session with any instance of the peer, once data can flow. It waits for a peer that is not there yet, until it is
   * aborted. Calls for one key share a session, which also may be one that the peer began; one that is being closed is not
   * given out any more. Rejects with `equal-keys`, `invalid-argument` (`PublicKey.any`), `permission-denied` (the peer
   * declined, and said so), `closed`, what the backend refuses with, and the signal's reason.
   */
  connect(key: PublicKey, options?: CallOptions): Promise<Session<Native>>;
  /**
   * Sessions that others have begun, once they are connected. Of those that nobody takes, 64 wait; more are closed, and so
   * are all to come when the iteration is left. Rejects with what the backend refuses our subscription with.
   */
  readonly incoming: AsyncIterable<Session<Native>>;
  /** Those that are connected or reconnecting, of one peer or of all. */
  sessions(key?: PublicKey): readonly Session<Native>[];
  /** Why there is no session with a peer, and what to do. */
  explain(key: PublicKey): Verdict;
  /** What happens, from now on. Of what is not read, the latest 256 are kept. */
  status(): AsyncIterable<PeerStatus>;
  /**
   * Ends all sessions in order, so that what was sent may arrive for at most 5 seconds, and everything else at once.
   * Idempotent.
   */
  close(): Promise<void>;
}

export type PeerStatus =
  | ({ readonly type: "peer"; readonly key: PublicKey } & TimelineEntry)
  /** Our key cannot be called now; it is tried again. */
  | { readonly type: "deaf"; readonly error: WiceError }
  | { readonly type: "listening" };
