/** `@wice/node/relay`: the signaling server as a library. */

export type { DropReason, RefusalCode, RelayCounters } from "./counters.ts";
export { type CloseOptions, createRelay, type Relay, type RelayOptions } from "./create-relay.ts";
export { type IceServer, parseIceServer, type TurnCredentials, turnRestCredentials } from "./ice-servers.ts";
export type { Rate, RelayLimits } from "./limits.ts";
