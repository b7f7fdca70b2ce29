/** `--relay URL`: the transport to the signaling server that it names. */

import { createTransportRegistry, type EnvelopeTransport } from "@wice/core";
import { grpcFactory } from "../grpc/factory.ts";
import { readPemFile } from "./pem-file.ts";
import { UsageError } from "./usage-error.ts";

export interface RelayAccess {
  readonly url: string;
  /** The file of certificates to trust. */
  readonly ca: string | undefined;
  readonly maxEnvelopeBytes: number | undefined;
  readonly signal: AbortSignal;
}

/** Does not connect yet. */
export async function openRelay({ url, ca, maxEnvelopeBytes, signal }: RelayAccess): Promise<EnvelopeTransport> {
  // "localhost:8080" is a URL whose scheme is "localhost", which is not what anybody means.
  if (/^[\w.-]+:\d{1,5}$/.test(url)) {
    throw new UsageError(`--relay: the URL has no scheme; write http://${url}, or https://${url} with TLS`);
  }
  const factory = grpcFactory({
    ...(ca !== undefined && { ca: await readPemFile("--ca", ca, signal) }),
    ...(maxEnvelopeBytes !== undefined && { maxEnvelopeBytes }),
  });
  try {
    return createTransportRegistry([factory]).open(url);
  } catch (error) {
    throw new UsageError(`--relay: ${error instanceof Error ? error.message : "not a URL"}`);
  }
}
