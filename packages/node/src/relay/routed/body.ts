/**
 * The body of a routed request. The router would read it itself, but it makes room for what a client merely announces,
 * its time grows with the square of the number of pieces, and it repeats in errors what it could not read. It gets one
 * whole message that it can read, or the reason why not.
 */

import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import type { ConnectError } from "@connectrpc/connect";
import type { AddressState } from "../connections.ts";
import { endFlaw, framingFlaw, tooLarge } from "../framed-request.ts";
import { frameMessage, prefixBytes } from "../frames.ts";
import { longestTimerMs, type RelayLimits } from "../limits.ts";
import { append, charge } from "../pending.ts";
import { relayStops, type Status } from "../status.ts";
import { decompress } from "./decompress.ts";
import { connectError } from "./status.ts";

export interface BodyOptions {
  readonly limits: RelayLimits;
  readonly address: AddressState;
  readonly maxBytes: number;
  /** How long it may take. */
  readonly timeoutMs: number;
  /** `message`: one with its length before it; `bare`: without; `stream`: any number of messages, as they come. */
  readonly shape: "message" | "bare" | "stream";
  /** How it is compressed, if it is; not for streams. */
  readonly encoding: string | undefined;
  /** Whether a message can be read; not for streams. */
  readonly isReadable: (message: Uint8Array) => boolean;
  /** What was wrong with the request before its body. */
  readonly flaw: ConnectError | undefined;
  /** Ends a stream, which need not have an end of its own. */
  readonly stopping: AbortSignal;
  readonly onRefused: (status: Status) => void;
}

export interface Body {
  /** Not compressed any more. Throws a ConnectError for a body that is not taken. */
  readonly pieces: AsyncIterable<Uint8Array>;
  /** The call has ended. Idempotent. */
  stop(): void;
}

const late: Status = { code: "deadline-exceeded", message: "the request did not arrive in time" };
const gone: Status = { code: "cancelled", message: "the client went away" };

export function receiveBody(request: IncomingMessage | Http2ServerRequest, options: BodyOptions): Body {
  const { limits, address, maxBytes, timeoutMs, shape, encoding, isReadable, stopping, onRefused } = options;
  let held: Buffer = Buffer.alloc(0);
  let received = 0;
  let given = 0;
  let charged = 0;
  let ended = false;
  let flaw = options.flaw;
  let wake = (): void => {};

  /** What comes after that is thrown away. */
  const fail = (status: Status): void => {
    if (flaw !== undefined) return;
    flaw = connectError(status);
    held = Buffer.alloc(0);
    onRefused(status);
    wake();
  };
  const take = (bytes: number): boolean => {
    const refusal = charge(address, limits, bytes);
    if (refusal === undefined) charged += bytes;
    else fail(refusal);
    return refusal === undefined;
  };
  const flawSoFar = (): Status | undefined => {
    if (shape === "message") return framingFlaw(held, received, maxBytes, encoding !== undefined);
    return received > maxBytes ? tooLarge(maxBytes) : undefined;
  };
  const onData = (chunk: Buffer): void => {
    if (flaw !== undefined || !take(chunk.length)) return;
    held = append(held, received, chunk);
    received += chunk.length;
    const status = flawSoFar();
    if (status !== undefined) fail(status);
    else if (shape === "stream") wake();
  };
  const onEnd = (): void => {
    clearTimeout(timer);
    const status = shape === "message" && flaw === undefined ? endFlaw(held, received) : undefined;
    if (status !== undefined) fail(status);
    ended = true;
    wake();
  };
  const onClose = (): void => {
    if (!ended) fail(gone);
  };
  const onStopping = (): void => fail(relayStops);

  const timer = setTimeout(fail, Math.max(1, Math.min(timeoutMs, longestTimerMs)), late).unref();
  request.on("data", onData);
  request.on("end", onEnd);
  request.on("close", onClose);
  if (shape === "stream") stopping.addEventListener("abort", onStopping);

  const more = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });

  async function* messages(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (flaw !== undefined) throw flaw;
      if (received > given) {
        const piece = held.subarray(given, received);
        given = received;
        yield piece;
      } else if (ended) return;
      else await more();
    }
  }

  async function* oneMessage(): AsyncGenerator<Uint8Array> {
    while (flaw === undefined && !ended) await more();
    if (flaw !== undefined) throw flaw;
    const start = shape === "message" ? prefixBytes : 0;
    const sent = held.subarray(start, received);
    const isCompressed = encoding !== undefined && (shape === "bare" || held[0] === 1);
    const message = isCompressed ? await decompress(encoding, sent, maxBytes) : sent;
    if (!(message instanceof Uint8Array)) fail(message);
    else if (!isReadable(message)) fail({ code: "invalid-argument", message: "the message is malformed" });
    else yield shape === "message" ? frameMessage(message) : message;
    if (flaw !== undefined) throw flaw;
  }

  return {
    pieces: shape === "stream" ? messages() : oneMessage(),
    stop() {
      clearTimeout(timer);
      request.off("data", onData);
      request.off("end", onEnd);
      request.off("close", onClose);
      stopping.removeEventListener("abort", onStopping);
      address.pendingBytes -= charged;
      charged = 0;
    },
  };
}
