/** gRPC's health service: whether the relay serves, for probes that ask once, and for load balancers that watch. */

import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import type { RelayCore } from "../core.ts";
import { Health, type HealthCheckRequest, HealthCheckResponse_ServingStatus } from "../gen/grpc/health/v1/health_pb.ts";
import { relayStops } from "../status.ts";
import { connectError } from "./status.ts";

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;

/** `services`: by their full names; the relay as a whole has an empty one. `stopping` aborts when the relay stops. */
export function addHealth(
  router: ConnectRouter,
  core: RelayCore,
  services: ReadonlySet<string>,
  stopping: AbortSignal,
): void {
  const isKnown = (service: string): boolean => service === "" || services.has(service);
  const status = (): HealthCheckResponse_ServingStatus => (core.draining ? NOT_SERVING : SERVING);

  async function* watch(
    { service }: HealthCheckRequest,
    { signal }: HandlerContext,
  ): AsyncGenerator<{ status: HealthCheckResponse_ServingStatus }> {
    yield { status: isKnown(service) ? status() : SERVICE_UNKNOWN };
    await eitherAborted(stopping, signal);
    signal.throwIfAborted();
    if (isKnown(service)) yield { status: NOT_SERVING };
    throw connectError(relayStops);
  }

  router.service(Health, {
    check({ service }) {
      if (!isKnown(service)) throw new ConnectError("no such service", Code.NotFound);
      return { status: status() };
    },
    watch,
  });
}

function eitherAborted(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      for (const signal of signals) signal.removeEventListener("abort", settle);
      resolve();
    };
    if (signals.some(({ aborted }) => aborted)) return settle();
    for (const signal of signals) signal.addEventListener("abort", settle);
  });
}
