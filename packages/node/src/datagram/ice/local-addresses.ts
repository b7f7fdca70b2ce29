/** The addresses of this machine that a peer might reach. */

import { networkInterfaces } from "node:os";
import { normalAddress } from "./stun-message.ts";

export interface LocalAddress {
  readonly interfaceName: string;
  readonly address: string;
  readonly family: 4 | 6;
  /** Of the loopback interface. */
  readonly internal: boolean;
}

/** More cost checks, and tell nobody anything new. */
const maxAddresses = 16;

/**
 * All but loopback and link-local addresses, and those of interfaces called `wg…`: a tunnel that runs through this
 * connection cannot carry it. Loopback and link-local ones, where there is nothing else.
 */
export function localAddresses(use: ((address: LocalAddress) => boolean) | undefined): LocalAddress[] {
  const all = Object.entries(networkInterfaces()).flatMap(([interfaceName, list = []]) =>
    list.map(({ address, family, internal }): LocalAddress => {
      return { interfaceName, address: normalAddress(address), family: family === "IPv4" ? 4 : 6, internal };
    }),
  );
  if (use !== undefined) return all.filter(use).slice(0, maxAddresses);
  const possible = all.filter(({ interfaceName }) => !/^wg/.test(interfaceName));
  const usual = possible.filter((each) => !each.internal && !isLinkLocal(each.address));
  // Tunnels of others come last: what goes through them goes through something else first.
  usual.sort((a, b) => Number(isTunnel(a)) - Number(isTunnel(b)));
  const rest = possible.toSorted((a, b) => Number(b.internal) - Number(a.internal));
  return (usual.length > 0 ? usual : rest).slice(0, maxAddresses);
}

/** The same address may be there on each interface, and means nothing without the name of one. */
export function isLinkLocal(address: string): boolean {
  return /^169\.254\.|^fe[89ab]/i.test(address);
}

function isTunnel({ interfaceName }: LocalAddress): boolean {
  return /^(tun|tap|utun|ipsec|ppp)/.test(interfaceName);
}
