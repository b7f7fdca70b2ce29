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
  const port = Number(digits);
  const listenPort = Number(listen ?? 0);
  if (digits === "" || port === 0 || port > 65_535 || listenPort > 65_535) throw new UsageError(`--udp: ${forms}`);
  const address = host.replace(/^\[|\]$/g, "");
  const isAddress = host.startsWith("[") ? isIPv6(address) : isIPv4(address) || !/^[\d.]+$/.test(address);
  if (!isAddress) throw new UsageError(`--udp: ${host} is no address; ${forms}`);
  return { listenPort, host: address, port };
}
