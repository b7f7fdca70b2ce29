/** `@wice/core/transport`: what transports and agents are built from, ours and those of others. */

export { createIceServers, type LiveIceServers } from "../agent/ice-servers.ts";
export { registrySource } from "../agent/relay-registry.ts";
export { disposable } from "../async/disposable.ts";
export { createQueue, type Queue } from "../async/queue.ts";
export { abortable, onAbort } from "../async/signal.ts";
export { checkBox, fromWireEnvelope } from "../envelope.ts";
export { asWiceError } from "../errors.ts";
export { createFedQueue, type FedQueue } from "./fed-queue.ts";
export { lostSubscription } from "./lost-subscription.ts";
export { httpStatusError, noSignalingServer, type RpcStatus, rpcStatusError } from "./rpc-status.ts";
