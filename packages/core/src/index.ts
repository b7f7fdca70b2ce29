export type { CallOptions } from "./call-options.ts";
export { decodeEnvelope, encodeEnvelope, type Envelope } from "./envelope.ts";
export { isWiceError, WiceError, type WiceErrorCode, type WiceErrorOptions } from "./errors.ts";
export { PublicKey, publicKeyFlaw } from "./public-key.ts";
export { createTransportRegistry, type TransportFactory, type TransportRegistry } from "./transport/registry.ts";
export type { EnvelopeSubscription, EnvelopeTransport, TransportReceipt } from "./transport/transport.ts";
