/** Listing and watching the envelopes for one key, by whatever the API server can select, and at the least cost to it. */

import type { IncomingMessage } from "node:http";
import { type PublicKey, WiceError } from "@wice/core";
import { type Api, type ApiRefused, isRefused } from "./api.ts";
import { type EnvelopeObject, recipientSelector } from "./resource.ts";
import { isUnknownField } from "./status-error.ts";

export interface Selection {
  /** The version from which on a watch brings all that is new and nothing that is there. */
  latest(signal: AbortSignal): Promise<string>;
  /** What is there, and the version from which on a watch misses nothing. */
  list(recipient: PublicKey, signal: AbortSignal): Promise<EnvelopeList>;
  /** What happens from a version on, or a refusal, which may mean that the version is gone. */
  watch(recipient: PublicKey, resourceVersion: string, signal: AbortSignal): Promise<IncomingMessage | ApiRefused>;
}

export interface EnvelopeList {
  readonly items: readonly EnvelopeObject[];
  readonly resourceVersion: string;
}

/** The API server ends watches after a while. We ask for a time of our own, so that those of many do not end as one. */
const watchSeconds = { from: 300, spread: 300 } as const;

export function createSelection(api: Api): Selection {
  /** Until 1.31, the fields of custom resources cannot be selected by: everybody's envelopes come, and we pick ours. */
  let byField = true;

  const selected = async <T extends object>(
    recipient: PublicKey,
    send: (query: Readonly<Record<string, string>>) => Promise<T | ApiRefused>,
  ): Promise<T | ApiRefused> => {
    if (!byField) return await send({});
    const answer = await send({ fieldSelector: recipientSelector(recipient) });
    if (!isRefused(answer) || !isUnknownField(answer.refusal)) return answer;
    byField = false;
    return await send({});
  };

  return {
    async latest(signal) {
      // Of anybody: to find one for a certain recipient, the API server would read all that etcd has.
      const answer = await api.call({ verb: "list", query: { limit: "1" }, metadataOnly: true, signal });
      if (isRefused(answer)) throw answer.error;
      return readList(answer.body).resourceVersion;
    },

    async list(recipient, signal) {
      const answer = await selected(recipient, (query) =>
        // Out of the API server's memory, which may be a moment behind, and not out of etcd.
        api.call({ verb: "list", query: { ...query, resourceVersion: "0" }, signal }),
      );
      if (isRefused(answer)) throw answer.error;
      return readList(answer.body);
    },

    watch: (recipient, resourceVersion, signal) =>
      selected(recipient, (query) => {
        const timeoutSeconds = String(Math.round(watchSeconds.from + Math.random() * watchSeconds.spread));
        const watch = { watch: "true", allowWatchBookmarks: "true", resourceVersion, timeoutSeconds };
        return api.stream({ verb: "watch", query: { ...query, ...watch }, signal });
      }),
  };
}

function readList(body: object): EnvelopeList {
  const { items, metadata } = body as { items?: EnvelopeObject[]; metadata?: { resourceVersion?: string } };
  const resourceVersion = metadata?.resourceVersion;
  // Without it, a watch would begin anywhere.
  if (!resourceVersion) throw new WiceError("protocol", "the API server answered with a list without a version");
  return { items: items ?? [], resourceVersion };
}
