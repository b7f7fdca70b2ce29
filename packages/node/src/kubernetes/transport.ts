/** The API server of a Kubernetes cluster as an envelope transport. */

import { type EnvelopeSubscription, type EnvelopeTransport, WiceError } from "@wice/core";
import { createApi, isRefused } from "./api.ts";
import { createCleanUp } from "./clean-up.ts";
import { type KubernetesTransportOptions, resolveSettings } from "./options.ts";
import { toObject } from "./resource.ts";
import { createResumePoints } from "./resume-points.ts";
import { createSelection } from "./selection.ts";
import { subscribe } from "./subscribe.ts";

/** An {@link EnvelopeTransport} that counts what it had to drop. */
export interface KubernetesTransport extends EnvelopeTransport {
  readonly dropped: KubernetesDropped;
}

/** Envelopes that subscriptions dropped so far: a stranger's fault, which ends nothing. */
export interface KubernetesDropped {
  /** No envelopes. */
  readonly malformed: number;
  /** Larger than `maxEnvelopeBytes`. */
  readonly oversized: number;
}

/**
 * Signals through the API server of a Kubernetes cluster: an envelope is a small custom resource, which the first
 * taker deletes. Connects with the first call; every call is one try, so give it to `createBackend`, which tries again.
 * Close it: what it published and nobody took is removed then, or else by other agents, after its time.
 *
 * A live subscription or a pending call keeps the process alive; nothing else does. Needs the package
 * `@kubernetes/client-node`, which it loads with the first call.
 *
 * Throws `invalid-url` and `invalid-argument`. Calls reject with
 * - `unsupported`: the cluster lacks the custom resource or the namespace, or the package is not installed;
 * - `permission-denied`: the Role lacks a verb, which the text names;
 * - `unauthenticated`: credentials are missing or over, also after they were read anew;
 * - `invalid-file`: there is no usable kubeconfig, no pod around us, or a plugin that gives no credentials;
 * - `unavailable`, retryable: the API server cannot be reached or is overloaded; not retryable: its certificate is
 *   refused, or the namespace is being deleted;
 * - `resource-exhausted`, retryable: a quota is full, or too many requests, with `retryAfterMs` where it says so;
 * - `too-large`, `invalid-envelope`: the envelope, or the schema in the cluster;
 * - `protocol`: what answers is no API server;
 * - `closed`: the transport was closed.
 *
 * ```ts
 * const transport = createKubernetesTransport({ url: "k8s:///home/me/.kube/config?namespace=mesh" });
 * const backend = createBackend(transport);
 * ```
 */
export function createKubernetesTransport(options: KubernetesTransportOptions): KubernetesTransport {
  const settings = resolveSettings(options);
  const api = createApi(settings);
  const selection = createSelection(api);
  const cleanUp = createCleanUp(api, settings, options.onCleanUpFailed ?? (() => {}));
  const resumePoints = createResumePoints(settings.lifetimeMs);
  const subscriptions = new Set<EnvelopeSubscription>();
  const dropped = { malformed: 0, oversized: 0 };
  const closed = new AbortController();
  let closing: Promise<void> | undefined;
  const within = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? closed.signal : AbortSignal.any([signal, closed.signal]);

  return {
    dropped,

    async publish(envelope, { signal } = {}) {
      signal?.throwIfAborted();
      closed.signal.throwIfAborted();
      const object = toObject(envelope);
      const { length } = envelope.body;
      if (length > settings.maxEnvelopeBytes) {
        throw new WiceError("too-large", `the envelope has ${length} bytes; ${settings.maxEnvelopeBytes} are allowed`);
      }
      const { name } = object.metadata;
      const request = { verb: "create", body: object, metadataOnly: true, signal: within(signal) } as const;
      const answer = await api.call(request);
      // A second try finds what the first one made.
      if (isRefused(answer) && answer.refusal.status?.reason !== "AlreadyExists") throw answer.error;
      cleanUp.published(name);
      return {};
    },

    async subscribe(recipient, { signal } = {}) {
      signal?.throwIfAborted();
      closed.signal.throwIfAborted();
      let isOver = false;
      const stopListening = cleanUp.listening();
      const subscription = await subscribe(
        recipient,
        {
          ...{ settings, api, selection, cleanUp, resumePoints },
          onDropped(reason) {
            dropped[reason] += 1;
          },
          onOver(over) {
            isOver = true;
            stopListening();
            subscriptions.delete(over);
          },
        },
        within(signal),
      );
      // Between its last answer and this line we may have been closed.
      if (closed.signal.aborted) await subscription.close();
      closed.signal.throwIfAborted();
      if (!isOver) subscriptions.add(subscription);
      return subscription;
    },

    close() {
      closing ??= close();
      return closing;
    },
  };

  async function close(): Promise<void> {
    // Those that are live end in order; what is pending is told why.
    const ended = [...subscriptions].map((subscription) => subscription.close());
    closed.abort(new WiceError("closed", "the transport is closed"));
    await Promise.all(ended);
    await cleanUp.close();
    api.close();
  }
}
