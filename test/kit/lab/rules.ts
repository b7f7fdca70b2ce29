/** What routers do to packets, as rules for nftables. */

/** The interface towards the internet, where a router has one. */
const outside = "wan0";

/**
 * Packets that nobody inside has asked for are dropped before they leave a trace: a trace would take the port away that the
 * same packet asks for from inside.
 */
const closedOutside = `table ip door {
  chain in { type filter hook input priority filter; iifname "${outside}" ct state new drop; }
}`;

/**
 * A home router: it keeps the port where it can, so that another peer sees the same port as a STUN server does. Only who was
 * sent something gets through.
 */
export const preservingNat = `${closedOutside}
table ip nat {
  chain after { type nat hook postrouting priority srcnat; oifname "${outside}" masquerade; }
}`;

/** Another port for each address outside: what a STUN server sees is of no use to others. */
export const symmetricNat = `${closedOutside}
table ip nat {
  chain after { type nat hook postrouting priority srcnat; oifname "${outside}" masquerade fully-random; }
}`;

/**
 * What the router maps stays mapped for a while, and who may come in by it depends on nothing (`anybody`, a full cone) or on the
 * address that it comes from (`whoWasSentTo`, from any port of it). For one UDP socket behind it per port: the port outside is
 * the one inside.
 */
export function coneNat(entry: "anybody" | "whoWasSentTo"): string {
  const [type, leaving, arriving] =
    entry === "anybody"
      ? ["inet_service", "udp sport", "udp dport"]
      : ["inet_service . ipv4_addr", "udp sport . ip daddr", "udp dport . ip saddr"];
  return `${preservingNat}
table ip cone {
  map opened { type ${type} : ipv4_addr; flags dynamic,timeout; timeout 2m; size 1000; }
  chain out {
    type filter hook forward priority filter;
    oifname "${outside}" meta l4proto udp update @opened { ${leaving} : ip saddr }
  }
  chain before { type nat hook prerouting priority dstnat; iifname "${outside}" meta l4proto udp dnat to ${arriving} map @opened; }
}`;
}

/** A home router that lets out no UDP, as in some offices and hotels. */
export const noUdpNat = `${preservingNat}
table ip office {
  chain through { type filter hook forward priority filter; meta l4proto udp drop; }
}`;

/** A home router with several networks, which it keeps apart. Their address outside leads nobody back in (no hairpin). */
export const separatingNat = `${preservingNat}
table ip walls {
  chain through { type filter hook forward priority filter; iifname "lan*" oifname "lan*" drop; }
}`;

/** A machine's own firewall: UDP gets in only from where it was sent to. */
export const firewall = `table inet door {
  chain in { type filter hook input priority filter; meta l4proto udp ct state new drop; }
}`;

/** An address inside, and the one outside that stands for it. */
export interface Pairing {
  readonly inside: string;
  readonly outside: string;
}

/**
 * One address outside for each inside. Those inside do not reach each other, but by their addresses outside: then the router
 * turns their packets round (a hairpin), with the address of the sender replaced, too (RFC 4787, section 6).
 */
export function hairpinNat(pairs: readonly Pairing[]): string {
  const arriving = pairs.map((pair) => `ip daddr ${pair.outside} dnat to ${pair.inside};`);
  const leaving = pairs.map((pair) => `ip saddr ${pair.inside} snat to ${pair.outside};`);
  return `table ip nat {
  chain before { type nat hook prerouting priority dstnat; ${arriving.join(" ")} }
  chain after { type nat hook postrouting priority srcnat; ${leaving.join(" ")} }
}
table ip door {
  chain through { type filter hook forward priority filter; ct status dnat accept; iifname "${outside}" accept; oifname != "${outside}" drop; }
}`;
}

/** Loses that many of a hundred packets that pass, at random, both ways. */
export function loss(percent: number, of: "all" | "udp" = "all"): string {
  const which = of === "udp" ? "meta l4proto udp " : "";
  return `table inet weather {
  chain through { type filter hook forward priority filter; ${which}numgen random mod 100 < ${percent} drop; }
}`;
}

/** Loses the UDP of each sender in IPv4 for so long, from its first packet on. */
export function deafAtFirst(seconds: number): string {
  return `table ip weather {
  set known { type ipv4_addr; flags dynamic; size 100; }
  set unheard { type ipv4_addr; flags dynamic,timeout; size 100; }
  chain through {
    type filter hook forward priority filter;
    meta l4proto udp ip saddr != @known add @known { ip saddr } add @unheard { ip saddr timeout ${seconds}s }
    meta l4proto udp ip saddr @unheard drop
  }
}`;
}

/** A family that has addresses and routes, but whose packets vanish. */
export function broken(family: "ip" | "ip6"): string {
  return `table ${family} weather {
  chain through { type filter hook forward priority filter; policy drop; }
}`;
}
