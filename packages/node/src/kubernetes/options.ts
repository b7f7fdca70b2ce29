/** What a Kubernetes transport can be told, and what it does when it is not told. */

import { WiceError } from "@wice/core";
import { type KubernetesEndpoint, parseKubernetesUrl } from "./endpoint.ts";

export interface KubernetesTransportOptions extends KubernetesClientOptions {
  /** The cluster, in a form that {@link parseKubernetesUrl} describes: `k8s:incluster`, `k8s:///path/to/kubeconfig`. */
  readonly url: string | URL;
}

/** Everything but which cluster. */
export interface KubernetesClientOptions {
  /** How long an envelope that nobody takes stays in the cluster. Default 60,000. */
  readonly lifetimeMs?: number;
  /** For each request but watches. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** A watch that is silent this long is opened anew; the API server sends a bookmark about once a minute. Default 90,000. */
  readonly silenceTimeoutMs?: number;
  /**
   * How often a subscriber looks for envelopes of anybody that outlived their time, on average: each wait is between half
   * and one and a half of it. Default 600,000.
   */
  readonly sweepIntervalMs?: number;
  /** Envelopes that one look removes at most. Default 100. */
  readonly maxSweptEnvelopes?: number;
  /** Larger envelopes are refused with `too-large` when published, dropped and counted when received. Default 65,536. */
  readonly maxEnvelopeBytes?: number;
  /**
   * Called when envelopes could not be removed: a Role without `delete`, for example. Signaling goes on; the envelopes stay
   * until another agent finds them.
   */
  readonly onCleanUpFailed?: (error: WiceError) => void;
}

/** The options with every default filled in. */
export interface KubernetesSettings extends Required<Omit<KubernetesClientOptions, "onCleanUpFailed">> {
  readonly endpoint: KubernetesEndpoint;
}

/** Checks and completes the options. Throws `invalid-url` and `invalid-argument`. */
export function resolveSettings(options: KubernetesTransportOptions): KubernetesSettings {
  return {
    endpoint: parseKubernetesUrl(toUrl(options.url)),
    lifetimeMs: positive(options, "lifetimeMs", 60_000),
    requestTimeoutMs: positive(options, "requestTimeoutMs", 10_000),
    silenceTimeoutMs: positive(options, "silenceTimeoutMs", 90_000),
    sweepIntervalMs: positive(options, "sweepIntervalMs", 600_000),
    maxSweptEnvelopes: positive(options, "maxSweptEnvelopes", 100),
    maxEnvelopeBytes: positive(options, "maxEnvelopeBytes", 65_536),
  };
}

type NumberOption = Exclude<keyof KubernetesClientOptions, "onCleanUpFailed">;

/** What a timer takes. */
const largest = 2 ** 31 - 1;

function positive(options: KubernetesClientOptions, name: NumberOption, otherwise: number): number {
  const value = options[name] ?? otherwise;
  if (Number.isInteger(value) && value > 0 && value <= largest) return value;
  throw new WiceError("invalid-argument", `${name} must be a whole number from 1 to ${largest}`);
}

function toUrl(url: string | URL): URL {
  try {
    return new URL(url);
  } catch (cause) {
    throw new WiceError("invalid-url", "not a URL; write for example k8s:incluster", { cause });
  }
}
