/** Upstream's signaling service and ours, for the encodings that the lean path does not take. */

import { arch, platform } from "node:os";
import { toBinary } from "@bufbuild/protobuf";
import type { ConnectError, ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { EnvelopeSchema, Relay, Signaling } from "@wice/core/wire";
import type { RelayCore } from "../core.ts";
import { tooLarge } from "../framed-request.ts";
import { frameMessage } from "../frames.ts";
import type { Status } from "../status.ts";
import { checkKeys, checkListen, type SubscriptionRequest } from "../subscription.ts";
import { callerKey } from "./caller.ts";
import { connectError } from "./status.ts";
import { routedSubscription } from "./subscription.ts";

/** Optional behaviour that clients may look for. */
const capabilities = ["heartbeat", "subscribers", "listen"];

export function addSignaling(router: ConnectRouter, core: RelayCore, version: string): void {
  const { limits } = core;
  router.service(Signaling, {
    getBuildInfo: () => ({ version, os: goPlatform(), arch: goArchitecture() }),
    publish(envelope, { values }) {
      const message = toBinary(EnvelopeSchema, envelope);
      if (message.length > limits.maxEnvelopeBytes) throw refusal(core, tooLarge(limits.maxEnvelopeBytes));
      const result = core.publish(frameMessage(message), values.get(callerKey).address);
      if (typeof result !== "number") throw refusal(core, result);
      return { subscribers: result };
    },
    subscribe: ({ key, heartbeatMs }, call) => envelopes(core, checkKeys([key], heartbeatMs), call),
  });
  router.service(Relay, {
    getServerInfo: () => ({
      version,
      capabilities,
      limits: {
        maxEnvelopeBytes: asUint32(limits.maxEnvelopeBytes),
        maxQueuedEnvelopes: asUint32(limits.maxQueuedEnvelopes),
        maxKeysPerListen: asUint32(limits.maxKeysPerListen),
      },
    }),
    listen: ({ keys, heartbeatMs }, call) => envelopes(core, checkListen(keys, heartbeatMs, limits), call),
  });
}

function envelopes(
  core: RelayCore,
  request: SubscriptionRequest | string,
  call: HandlerContext,
): ReturnType<typeof routedSubscription> {
  if (typeof request === "string") throw refusal(core, { code: "invalid-argument", message: request });
  return routedSubscription(core, request, call);
}

function refusal(core: RelayCore, status: Status): ConnectError {
  core.counters.refused[status.code]++;
  return connectError(status);
}

function asUint32(value: number): number {
  return Math.min(Math.floor(value), 0xffff_ffff);
}

/** BuildInfo is shared with Go programs; theirs are the names. */
function goPlatform(): string {
  const name = platform();
  return name === "win32" ? "windows" : name;
}

function goArchitecture(): string {
  const names: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
  return names[arch()] ?? arch();
}
