/** What we remember of the peers of one of our keys, in bounded memory. */

import type { TokenBucket } from "../async/token-bucket.ts";
import { agreeBoxKey, type BoxKey } from "../box.ts";
import { createLruMap, type LruMap } from "../lru-map.ts";
import type { PrivateKey } from "../private-key.ts";
import type { PublicKey } from "../public-key.ts";
import { electRole, type Role } from "../role.ts";
import { createReplayGuard, type ReplayGuard, type ReplayGuardLimits } from "./replay-guard.ts";

/** What is kept of one peer: more of those that the application has named, since strangers come for free. */
interface RemoteLimits extends ReplayGuardLimits {
  /** Headerless messages are told apart by their nonces. */
  readonly nonces: number;
}
const ofNamed: RemoteLimits = { instances: 16, names: 16_384, nonces: 1024 };
const ofStrangers: RemoteLimits = { instances: 4, names: 32, nonces: 64 };

const maxProvisional = 256;
const maxForgotten = 65_536;

/** One peer of one of our keys. */
export interface Remote {
  readonly key: PublicKey;
  /** The application has named it: subscribed to it, or published to it. */
  named: boolean;
  /** Our role towards it. */
  readonly role: Role;
  readonly guard: ReplayGuard;
  /** Nonces of messages without header. */
  readonly nonces: LruMap<string, true>;
  /** A proof that it speaks our dialect, and one that it does not. */
  hasSentHeaders: boolean;
  hasSentNoHeader: boolean;
  /** It knows our instance by name, or will: its messages may be fresh. */
  knowsInstance: boolean;
  /** False once its state was lost: what names our instance may then be a recording. */
  readonly mayBeFresh: boolean;
  /** So many subscriptions and deliveries need it. */
  pins: number;
  readonly lastSequence: { plain: number; acknowledged: number };
  /** Agreed once; a failure is not remembered. */
  boxKey(): Promise<BoxKey>;
}

export interface Remotes {
  /** A peer that the application has named. Throws `equal-keys`. */
  known(key: PublicKey): Remote;
  /** A peer that has sent us something. */
  find(key: PublicKey): Remote | undefined;
  /** A sender of whom we know nothing yet; undefined when there are too many of them at a time. */
  stranger(key: PublicKey): Remote | undefined;
  /** A stranger has proven to hold its key: what we note of it from now on is kept. */
  adopt(remote: Remote): void;
}

export interface RemotesLimits {
  /** Peers that the application has named. */
  readonly maxKnown: number;
  /** Senders that it has not named. */
  readonly maxStrangers: number;
}

/**
 * Peers that the application has named, strangers that hold the key they claim, and strangers that have not shown it
 * yet are bounded apart: no number of strangers pushes out a known peer, and no forger an honest stranger.
 */
export function createRemotes(ours: PrivateKey, strangerBudget: TokenBucket, limits: RemotesLimits): Remotes {
  let lastForgotten = { plain: 0, acknowledged: 0 };
  const forgotten = new Set<string>();

  const forget = (text: string, { knowsInstance, lastSequence }: Remote): void => {
    // Sequence numbers never go back within an instance, or the peer would take new messages for old ones.
    lastForgotten = {
      plain: Math.max(lastForgotten.plain, lastSequence.plain),
      acknowledged: Math.max(lastForgotten.acknowledged, lastSequence.acknowledged),
    };
    if (knowsInstance && forgotten.size < maxForgotten) forgotten.add(text);
  };
  const pinned = (remote: Remote): boolean => remote.pins > 0;
  const known = createLruMap<string, Remote>(() => limits.maxKnown, forget, pinned);
  const strangers = createLruMap<string, Remote>(() => limits.maxStrangers, forget, pinned);
  const provisional = createLruMap<string, Remote>(() => maxProvisional);

  const make = (key: PublicKey): Remote => {
    let agreed: Promise<BoxKey> | undefined;
    // Most peers are written to, or send headers, or send none: what they do not need costs nothing.
    let guard: ReplayGuard | undefined;
    let nonces: LruMap<string, true> | undefined;
    const most = (): RemoteLimits => (remote.named ? ofNamed : ofStrangers);
    const remote: Remote = {
      key,
      named: false,
      role: electRole(ours.publicKey, key),
      get guard() {
        guard ??= createReplayGuard(most);
        return guard;
      },
      get nonces() {
        nonces ??= createLruMap(() => most().nonces);
        return nonces;
      },
      hasSentHeaders: false,
      hasSentNoHeader: false,
      knowsInstance: false,
      mayBeFresh: forgotten.size < maxForgotten && !forgotten.has(key.toString()),
      pins: 0,
      lastSequence: { ...lastForgotten },
      boxKey() {
        agreed ??= agreeBoxKey(ours, key).catch((error: unknown) => {
          agreed = undefined;
          throw error;
        });
        return agreed;
      },
    };
    return remote;
  };

  return {
    known(key) {
      const text = key.toString();
      const found = known.get(text) ?? strangers.get(text) ?? provisional.get(text) ?? make(key);
      strangers.delete(text);
      provisional.delete(text);
      found.named = true;
      known.set(text, found);
      return found;
    },
    find: (key) => known.get(key.toString()) ?? strangers.get(key.toString()),
    stranger(key) {
      const text = key.toString();
      const found = provisional.get(text);
      if (found !== undefined) return found;
      if (!strangerBudget.take()) return undefined;
      const remote = make(key);
      provisional.set(text, remote);
      return remote;
    },
    adopt(remote) {
      const text = remote.key.toString();
      provisional.delete(text);
      if (known.get(text) === undefined && strangers.get(text) === undefined) strangers.set(text, remote);
    },
  };
}
