/** A Publish, Subscribe or Listen on the lean path, and the two things it is made of: a framing, and a version of HTTP. */

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { AddressState } from "../connections.ts";
import type { RelayCore } from "../core.ts";
import type { RequestHeaders } from "../request-headers.ts";
import type { Status } from "../status.ts";
import type { Subscribing, Subscription } from "../subscription.ts";

export type Method = "publish" | "subscribe" | "listen";

/** Where a stream keeps its call. */
export const callKey: unique symbol = Symbol("call");

export interface CallCarrier {
  [callKey]?: Call | undefined;
}

/** HTTP/2 has one stream for both directions. */
export type CallInput = (ServerHttp2Stream | IncomingMessage) & CallCarrier;
export type CallOutput = (ServerHttp2Stream | ServerResponse) & CallCarrier;

/** A call from its headers to its last byte. */
export interface Call extends Subscribing {
  readonly core: RelayCore;
  /** Calls whose request has not arrived in full, this one among them until it has. */
  readonly reading: Set<Call>;
  readonly framing: Framing;
  readonly http: HttpVersion;
  readonly method: Method;
  readonly input: CallInput;
  readonly output: CallOutput;
  /** What the answer is; the same as what the request was. */
  readonly contentType: string;
  /** Headers that the answer owes to the origin of a page. */
  readonly cors: OutgoingHttpHeaders | undefined;
  readonly address: AddressState;
  /** When it came, and when the client gives up, by `performance.now()`. */
  readonly openedMs: number;
  readonly deadlineMs: number;
  /** The request as far as it has come, in memory of our own; room for a prefix where the framing has none. */
  request: Buffer | undefined;
  received: number;
  /** What of the memory for calls of its address is counted for it. */
  chargedBytes: number;
  /** The status that it ends with; undefined for OK. */
  status: Status | undefined;
  subscription: Subscription | undefined;
}

/** How a protocol puts messages and statuses into bytes. */
export interface Framing {
  /** Whether a message in the request has its length before it. */
  readonly prefixed: boolean;
  readonly headers: RequestHeaders;
  /** Answers a Publish. */
  answer(call: Call, subscribers: number): void;
  /** Begins the answer of a Subscribe or Listen. */
  start(call: Call): void;
  /** Ends an answer that has begun. */
  end(call: Call, status: Status): void;
  /** Answers with a status alone. */
  refuse(call: Call, status: Status): void;
}

/** How a version of HTTP takes an answer. */
export interface HttpVersion {
  /** Sends the head of an answer whose body follows. The headers become its own. */
  head(call: Call, status: number, headers: OutgoingHttpHeaders): void;
  /** Sends a whole answer, possibly before the request has ended, and stops a client that is still sending. */
  whole(call: Call, status: number, headers: OutgoingHttpHeaders, body: Uint8Array | undefined): void;
  /** Whether nothing can be sent any more. */
  gone(call: Call): boolean;
}
