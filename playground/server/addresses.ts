/** The addresses by which other devices of the network reach this machine. */

import { networkInterfaces } from "node:os";

export interface LanAddress {
  readonly address: string;
  /** The name of the network interface, by which people tell Wi-Fi from a virtual machine. */
  readonly interfaceName: string;
}

/** IPv4 only: an IPv6 address changes daily where privacy is on, and every change would need a new certificate. */
export function lanAddresses(interfaces: typeof networkInterfaces = networkInterfaces): readonly LanAddress[] {
  return Object.entries(interfaces()).flatMap(([interfaceName, addresses = []]) =>
    addresses
      .filter(({ family, internal, address }) => family === "IPv4" && !internal && !address.startsWith("169.254."))
      .map(({ address }) => ({ address, interfaceName })),
  );
}
