/** `--listen HOST:PORT`, in the forms that operators write. */

import { isIPv4, isIPv6 } from "node:net";
import { UsageError } from "./usage-error.ts";

export interface ListenAddress {
  /** An address, or a name. Undefined: all addresses of the machine. */
  readonly host: string | undefined;
  readonly port: number;
}

const forms = "write HOST:PORT, for example 127.0.0.1:8080, [::1]:8080, or :8080 for all addresses";

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:0` (a free port), `:8080` and `*:8080` (all addresses). */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(\[[^\]]*\]|[^:[\]/\s]*):(\d{1,5})$/.exec(text);
  if (match === null) throw new UsageError(`--listen: ${hint(text)}`);
  const [, host = "", digits = ""] = match;
  const port = Number(digits);
  if (port > 65_535) throw new UsageError("--listen: the port must be between 0 and 65535");
  if (host === "" || host === "*") return { host: undefined, port };
  if (!host.startsWith("[")) {
    if (/^[\d.]+$/.test(host) && !isIPv4(host)) throw new UsageError(`--listen: not an IPv4 address; ${forms}`);
    // One address for everybody, whatever the machine's order of families is.
    return { host: host === "localhost" ? "127.0.0.1" : host, port };
  }
  const address = host.slice(1, -1);
  if (!isIPv6(address)) throw new UsageError(`--listen: only an IPv6 address stands in brackets; ${forms}`);
  return { host: address, port };
}

function hint(text: string): string {
  if (/^\d{1,5}$/.test(text))
    return `a port needs a colon before it: write :${text}, or 127.0.0.1:${text} for this machine only`;
  if (/^[a-z]+:\/\//i.test(text)) return `it is an address, not a URL; ${forms}`;
  if (isIPv6(text.replace(/:\d+$/, "")) || isIPv6(text)) return "an IPv6 address stands in brackets: [::1]:8080";
  return forms;
}
