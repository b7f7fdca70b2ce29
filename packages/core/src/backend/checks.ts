/** What a caller may ask of a backend. */

import { WiceError } from "../errors.ts";
import { hasContent, type MessageInit } from "../message.ts";
import type { KeyPair } from "../private-key.ts";
import { PublicKey } from "../public-key.ts";
import type { PublishOptions, SubscribeOptions } from "./backend.ts";
import type { BackendOptions } from "./create-backend.ts";
import { isInstance } from "./header.ts";

/** Throws `invalid-argument` for a number that is out of range. */
export function checkOptions(options: BackendOptions & Pick<SubscribeOptions, "maxQueuedMessages">): void {
  const { retry, strangers } = options;
  const wholes = {
    maxEnvelopeBytes: options.maxEnvelopeBytes,
    maxKnownPeers: options.maxKnownPeers,
    maxStrangers: options.maxStrangers,
    maxQueuedMessages: options.maxQueuedMessages,
  };
  for (const [name, value] of Object.entries(wholes)) {
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) refuse(`${name} must be a positive integer`);
  }
  const amounts = { lingerMs: options.lingerMs, burst: strangers?.burst, perSecond: strangers?.perSecond };
  for (const [name, value] of Object.entries(amounts)) {
    if (value !== undefined && !(Number.isFinite(value) && value >= 0)) refuse(`${name} must be 0 or more`);
  }
  if (retry !== undefined && !(retry.initialMs > 0 && retry.maxMs >= retry.initialMs && Number.isFinite(retry.maxMs))) {
    refuse("retry needs an initialMs above 0 and a maxMs that is not smaller");
  }
}

/** Throws `invalid-argument` or `unsupported` for what cannot be published. */
export function checkPublication(pair: KeyPair, message: MessageInit, options: PublishOptions): void {
  const { group, until, recipientInstance, timeoutMs } = options;
  if (pair.theirs.equals(PublicKey.any)) refuse("a message needs a recipient; PublicKey.any is for subscribing");
  if (message.header !== undefined || message.receipt !== undefined) {
    refuse("header and receipt of a message are written by the backend");
  }
  if (recipientInstance !== undefined && !isInstance(recipientInstance)) {
    refuse("recipientInstance must be 32 hexadecimal digits");
  }
  if (timeoutMs !== undefined && !(timeoutMs > 0)) refuse("timeoutMs must be positive");
  if (group === true && until === "delivered") {
    throw new WiceError("unsupported", "a group key has no receipts; publish to it without delivered");
  }
  if (until === "delivered" && !hasContent(message))
    refuse("an empty message cannot be delivered: nobody would get it");
  if (group === true && recipientInstance !== undefined) refuse("a group key has no single instance to address");
}

function refuse(text: string): never {
  throw new WiceError("invalid-argument", text);
}
