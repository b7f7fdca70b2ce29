/** ICE and datagrams, in plain Node: for peers in Node, and for cunīcu daemons. */

import { type Agent, type Clock, type IceServer, type IceServerSource, systemClock, WiceError } from "@wice/core";
import { createCunicuDialect } from "@wice/core/dialect";
import { createIceServers } from "@wice/core/transport";
import { connectDatagram, type DatagramNative } from "./datagram-connection.ts";
import type { LocalAddress } from "./ice/local-addresses.ts";
import type { PortRange } from "./ice/udp-socket.ts";

export interface DatagramOptions {
  /**
   * STUN and TURN servers (TURN over UDP, TCP or TLS), or who knows them: asked again before they expire. Default none:
   * peers then find each other within a network, and wherever addresses are public.
   */
  readonly iceServers?: readonly IceServer[] | IceServerSource | undefined;
  /** `"relay"` hides our addresses behind a TURN server. Default `"all"`. */
  readonly iceTransportPolicy?: "all" | "relay" | undefined;
  /**
   * Which addresses of this machine are used, of at most 16. Default: all but loopback and link-local ones and those of
   * interfaces called `wg…`; loopback and link-local ones, where there is nothing else.
   */
  readonly useAddress?: ((address: LocalAddress) => boolean) | undefined;
  /**
   * The UDP ports that may be used, both ends included; a connection takes one for each address. Default: any. The way to
   * a TURN server has any port: nobody has to reach us there.
   */
  readonly portRange?: PortRange | undefined;
  /**
   * Seals what is sent, so that nobody on the path can read it or alter it. Default true. False only where what is sent
   * protects itself, as WireGuard does. It is another agent then, `datagram-bare`, which the peer has to have, too: one agent
   * of each kind may be given, the preferred one first. Daemons of cunīcu never protect.
   */
  readonly protect?: boolean | undefined;
  /** Whether to talk to daemons of cunīcu, with which nothing is sealed. Default true. */
  readonly daemons?: boolean | undefined;
  /**
   * The largest sealed datagram, in bytes, from 576 to 65,000; `session.maxMessageBytes` is 21 less. Default 1,200, which
   * go everywhere: with all headers, those of IPv6 and TURN too, that is less than the 1,280 that each path of IPv6 has to
   * take, and than what is left inside most tunnels. Larger ones pay where you know the path, as in a network of your own.
   *
   * Nothing is probed: Node cannot send datagrams that may not be fragmented, so that a large one which arrives proves
   * nothing. Both sides may differ. Bare datagrams are the program's own, of up to 65,000 bytes, or 8,192 to a daemon.
   */
  readonly datagramBytes?: number | undefined;
  /** Certificates that are trusted for TURN over TLS, instead of the system's. PEM. */
  readonly ca?: string | Buffer | undefined;
  /** For tests. Default: the platform's. */
  readonly clock?: Clock | undefined;
}

/**
 * An agent over UDP, without WebRTC: sessions of it carry datagrams, which may get lost or overtake each other, and are
 * sealed. It talks to peers in Node and, bare, to daemons of cunīcu; browsers cannot.
 *
 * Throws `invalid-argument`.
 *
 * ```ts
 * const peer = createPeer({ privateKey, backend, agents: [datagram()] });
 * ```
 */
export function datagram(options: DatagramOptions = {}): Agent<DatagramNative> {
  const {
    iceServers = [],
    iceTransportPolicy,
    useAddress,
    portRange,
    protect = true,
    ca,
    clock = systemClock,
  } = options;
  const { datagramBytes = 1_200, daemons = true } = options;
  if (!Number.isInteger(datagramBytes) || datagramBytes < 576 || datagramBytes > 65_000)
    throw new WiceError("invalid-argument", "datagramBytes is a whole number from 576 to 65,000");
  if (portRange !== undefined && !isRange(portRange))
    throw new WiceError("invalid-argument", "portRange has a min and a max, from 1 to 65,535");
  const servers = createIceServers(iceServers, { clock });

  const name = protect ? "datagram" : "datagram-bare";

  return {
    name,
    ...(daemons && { dialect: createCunicuDialect(name) }),
    get hasTurn() {
      return servers.hasTurn;
    },
    connect(connectionOptions) {
      const { events } = connectionOptions;
      return connectDatagram({
        ...connectionOptions,
        ...{ clock, protect, datagramBytes },
        ice: {
          ...{ relayOnly: iceTransportPolicy === "relay", portRange, useAddress, ca },
          servers: (signal) => servers.current(signal, events.onServerError),
        },
      });
    },
  };
}

function isRange({ min, max }: PortRange): boolean {
  return Number.isInteger(min) && Number.isInteger(max) && min >= 1 && min <= max && max <= 65_535;
}
