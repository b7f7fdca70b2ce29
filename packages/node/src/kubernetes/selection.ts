/** Listing and watching the envelopes for one key, by whatever the API server can select. */

import type { IncomingMessage } from "node:http";
import { type PublicKey, WiceError } from "@wice/core";
import { type Api, type ApiRefused, type ApiRequest, isRefused } from "./api.ts";
import { type EnvelopeObject, recipientSelector } from "./resource.ts";
import { isUnknownField } from "./status-error.ts";

export interface Selection {
  /** Up to `limit` envelopes of a page, and the version from which on a watch misses nothing. */
  list(recipient: PublicKey, page: Page, signal: AbortSignal): Promise<EnvelopeList>;
  /** What happens from a version on, or a refusal, which may mean that the version is gone. */
  watch(recipient: PublicKey, resourceVersion: string, signal: AbortSignal): Promise<IncomingMessage | ApiRefused>;
}

export interface Page {
  readonly limit: number;
  /** Of the page before. */
  readonly continued?: string | undefined;
}

export interface EnvelopeList {
  readonly items: readonly EnvelopeObject[];
  readonly resourceVersion: string;
  /** Where the next page begins; undefined on the last one. */
  readonly continued: string | undefined;
}

/** The API server ends watches after a while. We ask for a time of our own, so that those of many do not end as one. */
const watchSeconds = { from: 300, spread: 300 } as const;

export function createSelection(api: Api): Selection {
  /** Until 1.31, the fields of custom resources cannot be selected by: everybody's envelopes come, and we pick ours. */
  let byField = true;

  const selected = async <T>(
    recipient: PublicKey,
    send: (query: Readonly<Record<string, string>>) => Promise<T | ApiRefused>,
  ): Promise<T | ApiRefused> => {
    if (!byField) return await send({});
    const answer = await send({ fieldSelector: recipientSelector(recipient) });
    const refused = typeof answer === "object" && answer !== null && isRefused(answer);
    if (!refused || !isUnknownField((answer as ApiRefused).refusal)) return answer;
    byField = false;
    return await send({});
  };

  return {
    async list(recipient, { limit, continued }, signal) {
      const page = { limit: String(limit), ...(continued !== undefined && { continue: continued }) };
      const answer = await selected(recipient, (query) => {
        const request: ApiRequest = { verb: "list", query: { ...query, ...page }, signal };
        return api.call(request);
      });
      if (isRefused(answer)) throw answer.error;
      const { items, metadata } = answer.body as {
        items?: EnvelopeObject[];
        metadata?: { resourceVersion?: string; continue?: string };
      };
      const resourceVersion = metadata?.resourceVersion;
      // Without it, a watch would begin anywhere.
      if (!resourceVersion) throw new WiceError("protocol", "the API server answered with a list without a version");
      return { items: items ?? [], resourceVersion, continued: metadata?.continue || undefined };
    },
    watch: (recipient, resourceVersion, signal) =>
      selected(recipient, (query) => {
        const timeoutSeconds = String(Math.round(watchSeconds.from + Math.random() * watchSeconds.spread));
        const watch = { watch: "true", allowWatchBookmarks: "true", resourceVersion, timeoutSeconds };
        return api.stream({ verb: "watch", query: { ...query, ...watch }, signal });
      }),
  };
}
