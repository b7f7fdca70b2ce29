/** One subscription: watch from now on, and watch again from where the last one ended, until either side ends it. */

import type { IncomingMessage } from "node:http";
import { type Envelope, type EnvelopeSubscription, isWiceError, type PublicKey, WiceError } from "@wice/core";
import { asWiceError, createFedQueue, lostSubscription, onAbort } from "@wice/core/transport";
import { type Api, isRefused } from "./api.ts";
import type { CleanUp } from "./clean-up.ts";
import type { KubernetesSettings } from "./options.ts";
import { type EnvelopeObject, fromObject } from "./resource.ts";
import type { ResumePoints } from "./resume-points.ts";
import type { EnvelopeList, Selection } from "./selection.ts";
import { isExpired } from "./status-error.ts";
import { readEvents } from "./watch-events.ts";

export interface SubscribeContext {
  readonly settings: KubernetesSettings;
  readonly api: Api;
  readonly selection: Selection;
  readonly cleanUp: CleanUp;
  readonly resumePoints: ResumePoints;
  /** An envelope was dropped, because it is no envelope or too large. */
  onDropped(reason: "malformed" | "oversized"): void;
  /** The subscription is over, however it ended. */
  onOver(subscription: EnvelopeSubscription): void;
}

/** Envelopes that wait for the application before the API server is held back. */
const queueLimit = 64;
/** A watch that ends sooner than this, and brought nothing, was a failure. */
const shortestWatchMs = 1_000;

/** Resolves when the API server watches for us. */
export async function subscribe(
  recipient: PublicKey,
  context: SubscribeContext,
  signal: AbortSignal | undefined,
): Promise<EnvelopeSubscription> {
  const { settings, api, selection, cleanUp, resumePoints } = context;
  const name = recipient.toString();
  const stop = new AbortController();
  const over = new WiceError("closed", "the subscription is over");
  const queue = createFedQueue<Envelope>(queueLimit, () => {
    forget();
    stop.abort(over);
    context.onOver(subscription);
  });
  const subscription: EnvelopeSubscription = {
    [Symbol.asyncIterator]: () => queue[Symbol.asyncIterator](),
    async close() {
      await queue[Symbol.asyncIterator]().return?.();
    },
  };
  const forget = onAbort(signal, () => {
    const reason: unknown = signal?.reason;
    stop.abort(reason);
    queue.fail(reason);
  });

  /** Everything up to here was seen. */
  let version = "";
  /** The watch begins with a list, and has not brought anything yet. */
  let isAnew = false;
  /** What came before the watch, which was opened first: to be live must not depend on a reader. */
  let missed: EnvelopeObject[] = [];

  const take = async (object: EnvelopeObject): Promise<void> => {
    // Without field selectors, other people's come, too.
    if (object.recipient !== name) return;
    cleanUp.taken(object.metadata.name);
    const envelope = readEnvelope(object, settings.maxEnvelopeBytes);
    if (typeof envelope === "string") return context.onDropped(envelope);
    await queue.put(envelope);
  };

  const open = async (): Promise<IncomingMessage> => {
    if (version === "") version = await selection.latest(stop.signal);
    const answer = await selection.watch(recipient, version, stop.signal);
    if (!isRefused(answer)) return answer;
    if (isExpired(answer.refusal)) return await openAnew();
    throw answer.error;
  };

  /** What happened since the version is forgotten; what is still there of it was missed. */
  const openAnew = async (): Promise<IncomingMessage> => {
    const { items, resourceVersion } = await selection.list(recipient, stop.signal).catch(skipTooMuch);
    const answer = await selection.watch(recipient, resourceVersion, stop.signal);
    if (isRefused(answer)) throw answer.error;
    // What came before we subscribed is not for us.
    missed = items.filter(({ metadata }) => isLater(metadata.resourceVersion, version));
    version = resourceVersion;
    isAnew = true;
    return answer;
  };

  /** Nobody has to send us so much at once: who cares sends again. */
  const skipTooMuch = async (error: unknown): Promise<EnvelopeList> => {
    if (!isWiceError(error, "too-large")) throw error;
    return { items: [], resourceVersion: await selection.latest(stop.signal) };
  };

  /** Until the watch ends, or says that what it was asked for is forgotten. */
  const follow = async (incoming: IncomingMessage): Promise<"ended" | "expired"> => {
    const since = performance.now();
    let brought = false;
    for (const object of missed.splice(0)) {
      // Who has left takes nothing away from other replicas.
      if (stop.signal.aborted) break;
      await take(object);
    }
    for await (const { type, object } of readEvents(incoming, settings.silenceTimeoutMs)) {
      if (type === "ERROR") {
        const refusal = { httpStatus: object.code ?? 500, retryAfter: "", status: object };
        // Twice in a row, it would go on like that, as fast as it can.
        if (isExpired(refusal) && !isAnew) return "expired";
        throw api.errorOf(refusal, "watch");
      }
      brought = true;
      isAnew = false;
      if (type === "ADDED") await take(object);
      if (type === "DELETED") cleanUp.gone(object.metadata.name);
      version = object.metadata.resourceVersion ?? version;
    }
    if (brought || performance.now() - since >= shortestWatchMs) return "ended";
    throw new WiceError("unavailable", "the API server ends watches at once", { retryable: true });
  };

  const run = async (first: IncomingMessage): Promise<void> => {
    let incoming = first;
    try {
      for (;;) {
        const end = await follow(incoming);
        stop.signal.throwIfAborted();
        incoming = end === "expired" ? await openAnew() : await open();
      }
    } catch (error) {
      if (stop.signal.aborted) return;
      resumePoints.keep(name, version);
      queue.fail(lostSubscription(asWiceError(error, "the watch")));
    }
  };

  try {
    signal?.throwIfAborted();
    version = resumePoints.take(name) ?? "";
    const incoming = await open();
    void run(incoming);
    return subscription;
  } catch (error) {
    // Else a failed try of many would be the end of what it could have gone on from.
    if (version !== "" && !stop.signal.aborted) resumePoints.keep(name, version);
    queue.end();
    signal?.throwIfAborted();
    throw error;
  }
}

function readEnvelope(object: EnvelopeObject, maxBytes: number): Envelope | "malformed" | "oversized" {
  try {
    const envelope = fromObject(object);
    return envelope.body.length > maxBytes ? "oversized" : envelope;
  } catch {
    return "malformed";
  }
}

/** Versions are numbers that grow, in every API server that stores in etcd. Of others nothing is known: not later. */
function isLater(version: string | undefined, than: string): boolean {
  const isNumber = (text: string | undefined): text is string => text !== undefined && /^\d+$/.test(text);
  return isNumber(version) && isNumber(than) && BigInt(version) > BigInt(than);
}
