/** `@wice/node/datagram`: sessions over plain UDP, between Node processes and with cunīcu daemons. */

export { type DatagramOptions, datagram } from "./datagram.ts";
export type { DatagramCounts, DatagramNative } from "./datagram-connection.ts";
export type { LocalAddress } from "./ice/local-addresses.ts";
export type { PortRange } from "./ice/udp-socket.ts";
