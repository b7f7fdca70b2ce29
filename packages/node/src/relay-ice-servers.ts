/** The STUN and TURN servers that a relay names: upstream's `RelayRegistry`, asked over gRPC. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type CallOptions, type IceServerSource, type PublicKey, WiceError } from "@wice/core";
import { abortable, registrySource } from "@wice/core/transport";
import { GetRelaysParamsSchema, type GetRelaysResp, GetRelaysRespSchema } from "@wice/core/wire";
import { createChannel } from "./grpc/channel.ts";
import { frameMessage } from "./grpc/framing.ts";
import { requestHeaders } from "./grpc/method.ts";
import { type GrpcClientOptions, resolveSettings } from "./grpc/options.ts";
import { callUnary } from "./grpc/unary.ts";

export interface RelayIceServersOptions {
  /** In the forms that {@link parseGrpcUrl} describes. */
  readonly relay: string | URL;
  /** For whom the credentials are. */
  readonly publicKey: PublicKey;
  readonly ca?: GrpcClientOptions["ca"] | undefined;
}

const timeoutMs = 5_000;
const maxAnswerBytes = 65_536;

/**
 * For {@link rtc}'s `iceServers`: asks the relay, and again before credentials end. Relays that have no registry know no
 * servers.
 *
 * Throws `invalid-url`. The source rejects with `unavailable`, `resource-exhausted`, `unauthenticated`,
 * `permission-denied`, `protocol`, and the signal's reason.
 */
export function relayIceServers({ relay, publicKey, ca }: RelayIceServersOptions): IceServerSource {
  const settings = resolveSettings({ url: relay, connectTimeoutMs: timeoutMs, ...(ca !== undefined && { ca }) });
  const { endpoint } = settings;
  const headers = requestHeaders(endpoint, "/cunicu.signaling.RelayRegistry/GetRelays", timeoutMs);
  const params = create(GetRelaysParamsSchema, { publicKey: publicKey.toBytes() });
  const request = frameMessage(toBinary(GetRelaysParamsSchema, params));

  const getRelays = async ({ signal }: CallOptions): Promise<GetRelaysResp> => {
    signal?.throwIfAborted();
    // For once: it is asked seldom.
    const channel = createChannel(settings);
    try {
      const connection = await abortable(channel.connection(), signal);
      const answer = await callUnary(connection, { headers, request, maxAnswerBytes, timeoutMs, signal });
      return decode(answer, endpoint.authority);
    } finally {
      await channel.close();
    }
  };
  return registrySource(getRelays);
}

function decode(answer: Uint8Array, where: string): GetRelaysResp {
  try {
    return fromBinary(GetRelaysRespSchema, answer);
  } catch (cause) {
    throw new WiceError("protocol", `${where} answered with garbage`, { cause });
  }
}
