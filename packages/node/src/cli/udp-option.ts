/** `--udp [LISTEN_PORT:]HOST:PORT` */

import { isIPv4, isIPv6 } from "node:net";
import { UsageError } from "./usage-error.ts";

export interface UdpOption {
  /** Where the local program sends to; 0 for any free port. */
  readonly listenPort: number;
  /** Where the local program is: an address, or a name. */
  readonly host: string;
  readonly port: number;
}

const forms = "write [LISTEN_PORT:]HOST:PORT, for example 127.0.0.1:51820 or 51821:127.0.0.1:51820";

export function parseUdpOption(text: string): UdpOption {
  const [, listen, host = "", digits = ""] = /^(?:(\d{1,5}):)?(\[[^\]]*\]|[^:[\]/\s]+):(\d{1,5})$/.exec(text) ?? [];
  if (digits === "")
    throw refuse(/:.*:.*:/.test(text) && !text.includes("[") ? "an IPv6 address stands in brackets" : "");
  const [listenPort, port] = [Number(listen ?? 0), Number(digits)];
  if (port === 0 || port > 65_535) throw refuse(`${digits} is no port`);
  if (listenPort > 65_535) throw refuse(`${listen} is no port`);
  const address = host.replace(/^\[|\]$/g, "");
  const isAddress = host.startsWith("[") ? isIPv6(address) : isIPv4(address) || !/^[\d.]+$/.test(address);
  if (!isAddress) throw refuse(`${host} is no address`);
  if (port === listenPort && /^(127\.|::1$|localhost$)/.test(address))
    throw refuse("LISTEN_PORT is ours and PORT the program's, so they differ");
  return { listenPort, host: address, port };
}

function refuse(why: string): UsageError {
  return new UsageError(`--udp: ${why === "" ? "" : `${why}; `}${forms}`);
}
