/** `--relay URL`: the transport to the signaling server that it names. */

import { createTransportRegistry, type EnvelopeTransport } from "@wice/core";
import { grpcFactory } from "../grpc/factory.ts";
import { UsageError } from "./usage-error.ts";

/** Does not connect yet. */
export function openRelay(url: string, maxEnvelopeBytes: number | undefined): EnvelopeTransport {
  const factory = grpcFactory(maxEnvelopeBytes === undefined ? {} : { maxEnvelopeBytes });
  try {
    return createTransportRegistry([factory]).open(url);
  } catch (error) {
    throw new UsageError(`--relay: ${error instanceof Error ? error.message : "not a URL"}`);
  }
}
