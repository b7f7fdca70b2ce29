/** `--relay URL` and `--backend URL`: the transport through the servers that they name. */

import { createTransportRegistry, type EnvelopeTransport, multi } from "@wice/core";
import { grpcSchemes } from "../grpc/endpoint.ts";
import { grpcFactory } from "../grpc/factory.ts";
import { kubernetesScheme } from "../kubernetes/endpoint.ts";
import { kubernetesFactory } from "../kubernetes/factory.ts";
import type { Output } from "./output.ts";
import { readPemFile } from "./pem-file.ts";
import { UsageError } from "./usage-error.ts";

export interface SignalingAccess {
  readonly relay: string | undefined;
  readonly backend: readonly string[];
  /** The file of certificates to trust. */
  readonly ca: string | undefined;
}

export interface SignalingContext {
  readonly maxEnvelopeBytes: number | undefined;
  readonly notes: Output;
  readonly signal: AbortSignal;
}

/** Does not connect yet. */
export async function openSignaling(
  { relay, backend, ca }: SignalingAccess,
  { maxEnvelopeBytes, notes, signal }: SignalingContext,
): Promise<EnvelopeTransport> {
  const named = [
    ...(relay === undefined ? [] : [{ option: "--relay", url: relay }]),
    ...backend.map((url) => ({ option: "--backend", url })),
  ];
  if (named.length === 0) throw new UsageError("--relay URL is missing, or --backend URL: who carries the messages?");
  for (const { option, url } of named) {
    // "localhost:8080" is a URL whose scheme is "localhost", which is not what anybody means.
    if (!/^[\w.-]+:\d{1,5}$/.test(url)) continue;
    throw new UsageError(`${option}: the URL has no scheme; write http://${url}, or https://${url} with TLS`);
  }
  const limits = { ...(maxEnvelopeBytes !== undefined && { maxEnvelopeBytes }) };
  const grpc = grpcFactory({ ...limits, ...(ca !== undefined && { ca: await readPemFile("--ca", ca, signal) }) });
  const kubernetes = kubernetesFactory({
    ...limits,
    onCleanUpFailed: (error) => void notes.line(notes.style.yellow(`envelopes stay in the cluster: ${error.message}`)),
  });
  const registries = {
    "--relay": createTransportRegistry([grpc]),
    "--backend": createTransportRegistry([grpc, kubernetes]),
  };
  const opened: { name: string; transport: EnvelopeTransport }[] = [];
  for (const { option, url } of named) {
    try {
      opened.push({ name: nameOf(url), transport: registries[option as keyof typeof registries].open(url) });
    } catch (error) {
      throw new UsageError(`${option}: ${error instanceof Error ? error.message : "not a URL"}`);
    }
  }
  const [only] = opened;
  if (opened.length === 1 && only !== undefined) return only.transport;
  const names = opened.map(({ name }) => name);
  if (new Set(names).size < names.length) throw new UsageError("--backend: one server is named twice");
  return multi(opened);
}

/** The first server that may know STUN and TURN servers. */
export function registryOf({ relay, backend }: Pick<SignalingAccess, "relay" | "backend">): string | undefined {
  return relay ?? backend.find((url) => grpcSchemes.some((scheme) => url.toLowerCase().startsWith(`${scheme}:`)));
}

/** Without its parameters, but those that say which cluster, or which part of it. */
function nameOf(url: string): string {
  return url.startsWith(`${kubernetesScheme}:`) ? url : url.replace(/[?#].*$/s, "");
}
