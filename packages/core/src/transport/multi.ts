/** Several transports as one: an envelope is sealed once and goes out on all, and what comes in comes once. */

import { type BackoffOptions, createBackoff } from "../async/backoff.ts";
import { type Clock, systemClock } from "../async/clock.ts";
import { createQueue, type Queue } from "../async/queue.ts";
import { onAbort } from "../async/signal.ts";
import { type RandomBytes, randomBytes } from "../bytes.ts";
import type { CallOptions } from "../call-options.ts";
import { checkBox, type Envelope } from "../envelope.ts";
import { asWiceError, WiceError } from "../errors.ts";
import { combined } from "./multi-error.ts";
import { createMember, type Member, type MemberHealth } from "./multi-member.ts";
import { type MultiSubscription, subscribeAll } from "./multi-subscription.ts";
import type { EnvelopeTransport, TransportReceipt } from "./transport.ts";

/** A transport with a name for people. */
export interface NamedTransport {
  readonly name: string;
  readonly transport: EnvelopeTransport;
}

export interface MultiOptions {
  /** Delays between tries to reach a transport that is down. Default 500 ms to 10,000 ms. */
  readonly retry?: BackoffOptions | undefined;
  /** Time and randomness, for tests. Default: the platform's. */
  readonly clock?: Clock | undefined;
  readonly random?: RandomBytes | undefined;
}

/** An {@link EnvelopeTransport} over several, which it owns and closes. */
export interface MultiTransport extends EnvelopeTransport {
  /** What is known of each, in the order in which they were added. */
  readonly members: readonly MemberHealth[];
  /** One more; the subscriptions that there are get it, too. Throws `invalid-argument` where the name is taken, `closed`. */
  add(member: NamedTransport): void;
  /** One less: it is closed. Whoever was subscribed through it alone is told that the subscription is lost. */
  remove(name: string): Promise<void>;
  /** What happens to the transports, from now on. Of those events that are not read, the latest 64 are kept. */
  status(): AsyncIterable<MultiStatus>;
}

export type MultiStatus =
  /** It works, for the first time or again. */
  | { readonly type: "up"; readonly name: string }
  /** It does not work; the others go on without it, and it is tried again. */
  | { readonly type: "down"; readonly name: string; readonly error: WiceError }
  | { readonly type: "added" | "removed"; readonly name: string };

const statusLimit = 64;

/**
 * Publishes on all transports at once, and is done with the first that takes the envelope; receives from all, each
 * envelope once. One that is down costs nobody anything: it is tried now and then, and used again as soon as it works.
 *
 * Publish rejects when none took the envelope; the error's cause is an `AggregateError` of all reasons. A subscription is
 * live while one transport is, and lost with the last one.
 *
 * ```ts
 * const backend = createBackend(multi([
 *   { name: "relay", transport: createGrpcTransport({ url: "https://relay.example.org" }) },
 *   { name: "cluster", transport: createKubernetesTransport({ url: "k8s:incluster" }) },
 * ]));
 * ```
 */
export function multi(
  transports: readonly (EnvelopeTransport | NamedTransport)[],
  { retry = { initialMs: 500, maxMs: 10_000 }, clock = systemClock, random = randomBytes }: MultiOptions = {},
): MultiTransport {
  const members = new Map<string, Member>();
  const observers = new Set<Queue<MultiStatus>>();
  const subscriptions = new Set<MultiSubscription>();
  let closing: Promise<void> | undefined;

  const tell = (status: MultiStatus): void => {
    for (const observer of observers) observer.pushDroppingOldest(status);
  };
  const join = ({ name, transport }: NamedTransport): void => {
    checkOpen();
    if (members.has(name)) throw new WiceError("invalid-argument", `two transports have the name ${name}`);
    const member = createMember(name, transport, {
      clock,
      delays: createBackoff(retry, random),
      onUp: () => tell({ type: "up", name }),
      onDown: (error) => tell({ type: "down", name, error }),
    });
    members.set(name, member);
    for (const subscription of subscriptions) subscription.join(member);
  };
  const checkOpen = (signal?: AbortSignal): void => {
    signal?.throwIfAborted();
    if (closing !== undefined) throw new WiceError("closed", "the transport is closed");
  };

  for (const [index, given] of transports.entries()) {
    join("transport" in given ? given : { name: `transport ${index + 1}`, transport: given });
  }

  return {
    get members() {
      return [...members.values()].map(({ health }) => health);
    },

    async publish(envelope, { signal } = {}) {
      checkOpen(signal);
      checkBox(envelope.body, envelope.nonce);
      // Some may still be sending it when the caller has gone on.
      const { sender, recipient } = envelope;
      const [body, nonce] = [new Uint8Array(envelope.body), new Uint8Array(envelope.nonce)];
      return await publishOnAll([...members.values()], { sender, recipient, body, nonce }, { signal });
    },

    async subscribe(recipient, { signal } = {}) {
      checkOpen(signal);
      if (members.size === 0) throw nobody();
      const subscription = await subscribeAll([...members.values()], recipient, {
        ...{ clock, random, retry, signal },
        onOpen: (opened) => subscriptions.add(opened),
        onOver: (over) => subscriptions.delete(over),
      });
      if (closing !== undefined) await subscription.close();
      checkOpen(signal);
      return subscription;
    },

    add(member) {
      join(member);
      tell({ type: "added", name: member.name });
    },

    async remove(name) {
      const member = members.get(name);
      if (member === undefined) return;
      members.delete(name);
      for (const subscription of [...subscriptions]) subscription.leave(member);
      tell({ type: "removed", name });
      await member.transport.close();
    },

    status() {
      const observer: Queue<MultiStatus> = createQueue(statusLimit, () => observers.delete(observer));
      if (closing === undefined) observers.add(observer);
      else observer.end();
      return observer;
    },

    close() {
      closing ??= (async () => {
        for (const subscription of [...subscriptions]) await subscription.close();
        await Promise.all([...members.values()].map(({ transport }) => transport.close()));
        for (const observer of [...observers]) observer.end();
      })();
      return closing;
    },
  };
}

/** Resolves with the first success. Who is down is tried, but not waited for while there are others. */
function publishOnAll(
  members: readonly Member[],
  envelope: Envelope,
  { signal }: CallOptions,
): Promise<TransportReceipt> {
  for (const member of members) member.giveUp();
  const well = members.filter(({ isDown }) => !isDown);
  const awaited = well.length > 0 ? well : members;
  if (awaited.length === 0) return Promise.reject(nobody());
  return new Promise((resolve, reject) => {
    // Ends with the caller's patience, but not with the first success: the others are to have the envelope, too.
    const scope = new AbortController();
    const errors: WiceError[] = [];
    let settled = false;
    const settle = (act: () => void): void => {
      if (settled) return;
      settled = true;
      forget();
      act();
    };
    const give = (reason: unknown): void =>
      settle(() => {
        reject(reason);
        scope.abort(reason);
      });
    const forget = onAbort(signal, () => give(signal?.reason));
    let left = awaited.length;
    for (const member of members) {
      const must = awaited.includes(member);
      if (!must && !member.isDue) continue;
      member.publish(envelope, scope).then(
        // Of several, none can tell how many there are behind the others.
        (receipt) => settle(() => resolve(members.length === 1 ? receipt : {})),
        (error: unknown) => {
          if (!must) return;
          errors.push(asWiceError(error, member.name));
          left -= 1;
          if (left === 0) give(combined(errors));
        },
      );
    }
  });
}

function nobody(): WiceError {
  return new WiceError("unavailable", "there is no transport; add one", { retryable: true });
}
