/** What a gRPC transport can be told, and what it does when it is not told. */

import { WiceError } from "@wice/core";
import { type GrpcEndpoint, parseGrpcUrl } from "./endpoint.ts";

export interface GrpcTransportOptions extends GrpcClientOptions {
  /** The server, in a form that {@link parseGrpcUrl} describes: `grpc://host:port?insecure=true`, `https://host`. */
  readonly url: string | URL;
}

/** Everything but the server's address. */
export interface GrpcClientOptions {
  /** Certificates in PEM form to trust in place of the system's. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** Accept any certificate, as `skip_verify=true` in the URL does. Default false. */
  readonly skipVerify?: boolean;
  /** DNS, TCP, TLS and the server's HTTP/2 settings together. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** From a publish on the wire to the server's answer. Default 10,000. */
  readonly publishTimeoutMs?: number;
  /** From a subscribe on the wire to the server's "you are subscribed". Default 30,000: a server may delay whom it limits. */
  readonly subscribeTimeoutMs?: number;
  /**
   * Asks the server for an empty envelope on every subscription at least this often; three that stay away end the
   * subscription. It keeps streams open through proxies. Upstream's servers ignore it. Default 15,000; 0 asks for none.
   */
  readonly heartbeatMs?: number;
  /** How long a connection in use may be silent before the server is asked for a sign of life. Default 10,000. */
  readonly pingIntervalMs?: number;
  /** How long to wait for that sign before the connection is given up. Default 5,000. */
  readonly pingTimeoutMs?: number;
  /** Larger envelopes are refused with `too-large` when published, dropped and counted when received. Default 65,536. */
  readonly maxEnvelopeBytes?: number;
}

/** The options with every default filled in. */
export interface GrpcSettings {
  readonly endpoint: GrpcEndpoint;
  readonly ca: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  readonly connectTimeoutMs: number;
  readonly publishTimeoutMs: number;
  readonly subscribeTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly maxEnvelopeBytes: number;
}

/** Checks and completes the options. Throws `invalid-url` and `invalid-argument`. */
export function resolveSettings(options: GrpcTransportOptions): GrpcSettings {
  const endpoint = parseGrpcUrl(toUrl(options.url));
  return {
    endpoint: { ...endpoint, skipVerify: endpoint.skipVerify || (options.skipVerify ?? false) },
    ca: options.ca,
    connectTimeoutMs: positive(options, "connectTimeoutMs", 10_000),
    publishTimeoutMs: positive(options, "publishTimeoutMs", 10_000),
    subscribeTimeoutMs: positive(options, "subscribeTimeoutMs", 30_000),
    heartbeatMs: options.heartbeatMs === 0 ? 0 : positive(options, "heartbeatMs", 15_000),
    pingIntervalMs: positive(options, "pingIntervalMs", 10_000),
    pingTimeoutMs: positive(options, "pingTimeoutMs", 5_000),
    maxEnvelopeBytes: positive(options, "maxEnvelopeBytes", 65_536),
  };
}

type NumberOption = {
  [K in keyof GrpcClientOptions]-?: Required<GrpcClientOptions>[K] extends number ? K : never;
}[keyof GrpcClientOptions];

/** What a timer, a `uint32` and a buffer all take. */
const largest = 2 ** 31 - 1;

function positive(options: GrpcClientOptions, name: NumberOption, otherwise: number): number {
  const value = options[name] ?? otherwise;
  if (Number.isInteger(value) && value > 0 && value <= largest) return value;
  throw new WiceError("invalid-argument", `${name} must be a whole number from 1 to ${largest}`);
}

function toUrl(url: string | URL): URL {
  try {
    return new URL(url);
  } catch (cause) {
    throw new WiceError("invalid-url", "not a URL; write for example grpc://host:port", { cause });
  }
}
