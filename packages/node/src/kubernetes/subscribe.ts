/** One subscription: list, watch, and watch again from where the last one ended, until either side ends it. */

import type { IncomingMessage } from "node:http";
import { type Envelope, type EnvelopeSubscription, type PublicKey, WiceError } from "@wice/core";
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
const pageItems = 500;

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

  const take = async (object: EnvelopeObject): Promise<void> => {
    // Without field selectors, other people's come, too.
    if (object.recipient !== name) return;
    cleanUp.taken(object.metadata.name);
    const envelope = readEnvelope(object, settings.maxEnvelopeBytes);
    if (typeof envelope === "string") return context.onDropped(envelope);
    await queue.put(envelope);
  };

  /** What was missed, as far as it is still there; what came before we subscribed is not for us. */
  const catchUp = async (): Promise<void> => {
    const since = version;
    let page: EnvelopeList | undefined;
    do {
      page = await selection.list(recipient, { limit: pageItems, continued: page?.continued }, stop.signal);
      for (const object of page.items) {
        if (isLater(object.metadata.resourceVersion, since)) await take(object);
      }
    } while (page.continued !== undefined);
    version = page.resourceVersion;
  };

  /** Undefined: what happened since that version is forgotten. */
  const watch = async (): Promise<IncomingMessage | undefined> => {
    const answer = await selection.watch(recipient, version, stop.signal);
    if (!isRefused(answer)) return answer;
    if (isExpired(answer.refusal)) return undefined;
    throw answer.error;
  };

  const open = async (): Promise<IncomingMessage> => {
    const opened = version === "" ? undefined : await watch();
    if (opened !== undefined) return opened;
    if (version === "") {
      version = (await selection.list(recipient, { limit: 1 }, stop.signal)).resourceVersion;
    } else {
      await catchUp();
    }
    const second = await watch();
    if (second !== undefined) return second;
    throw new WiceError("unavailable", "the API server forgets faster than it can be asked", { retryable: true });
  };

  /** Until the watch ends. False: it must begin with a list. */
  const follow = async (incoming: IncomingMessage): Promise<"ended" | "expired"> => {
    const since = performance.now();
    let brought = false;
    for await (const { type, object } of readEvents(incoming, settings.silenceTimeoutMs)) {
      brought = true;
      if (type === "ERROR") {
        const refusal = { httpStatus: object.code ?? 500, retryAfter: "", status: object };
        if (isExpired(refusal)) return "expired";
        throw api.errorOf(refusal, "watch");
      }
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
        if (end === "expired") await catchUp();
        incoming = await open();
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
