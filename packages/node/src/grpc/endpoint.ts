/** Where a signaling server is: what a gRPC URL says. */

import { WiceError } from "@wice/core";

/** The schemes that {@link parseGrpcUrl} reads. */
export const grpcSchemes = ["grpc", "grpcs", "http", "https"] as const;

export interface GrpcEndpoint {
  /** A name or an address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** Accept any certificate. */
  readonly skipVerify: boolean;
  /** `host:port`, with brackets around IPv6: for the `:authority` header and for people. */
  readonly authority: string;
}

/**
 * Reads the URL of a signaling server, as upstream writes it:
 *
 * | URL | connection | default port | parameters |
 * |---|---|---|---|
 * | `grpc://host:port` | TLS | 443 | `insecure`, `skip_verify` |
 * | `grpc://host:port?insecure=true` | plain TCP | 80 | |
 * | `grpcs://host:port`, `https://host:port` | TLS | 443 | `skip_verify` |
 * | `http://host:port` | plain TCP | 80 | none |
 *
 * Throws `invalid-url` for everything else, so that a typing error does not turn TLS on or off in silence.
 */
export function parseGrpcUrl(url: URL): GrpcEndpoint {
  const scheme = url.protocol.slice(0, -1);
  const parameters = knownParameters[scheme];
  if (parameters === undefined) throw invalid(`"${scheme}:" is not one of ${grpcSchemes.join(", ")}`);
  if (url.hostname === "") throw invalid(`it names no host; write ${scheme}://host:port`);
  if (url.username !== "" || url.password !== "") throw invalid("a user or a password has no meaning in it");
  if (url.pathname !== "" && url.pathname !== "/") throw invalid("a path has no meaning in it");
  if (url.hash !== "") throw invalid("a fragment has no meaning in it");
  for (const name of url.searchParams.keys()) if (!parameters.includes(name)) throw invalid(unknown(scheme, name));

  const tls = scheme !== "http" && !flag(url, "insecure");
  const port = url.port === "" ? (tls ? 443 : 80) : Number(url.port);
  if (port === 0) throw invalid("port 0 cannot be connected to");
  return {
    host: url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : decodeURIComponent(url.hostname),
    port,
    tls,
    skipVerify: flag(url, "skip_verify"),
    authority: `${url.hostname}:${port}`,
  };
}

const knownParameters: Readonly<Record<string, readonly string[]>> = {
  grpc: ["insecure", "skip_verify"],
  grpcs: ["skip_verify"],
  http: [],
  https: ["skip_verify"],
};

/** The spellings that Go's `strconv.ParseBool` takes, since upstream's URLs are read with it. */
const truths: readonly string[] = ["1", "t", "T", "true", "TRUE", "True"];
const falsehoods: readonly string[] = ["0", "f", "F", "false", "FALSE", "False"];

function flag(url: URL, name: string): boolean {
  const values = url.searchParams.getAll(name);
  if (values.length > 1) throw invalid(`${name} is given ${values.length} times`);
  const [value] = values;
  if (value === undefined || value === "" || falsehoods.includes(value)) return false;
  if (truths.includes(value)) return true;
  throw invalid(`${name} must be true or false`);
}

function unknown(scheme: string, name: string): string {
  const known = knownParameters[scheme] ?? [];
  if (name === "insecure")
    return `"insecure" has no meaning with ${scheme}:; write grpc://host:port?insecure=true for plain TCP`;
  const list = known.length === 0 ? `${scheme}: takes none` : `known are ${known.join(", ")}`;
  return `unknown parameter "${name}"; ${list}`;
}

function invalid(why: string): WiceError {
  return new WiceError("invalid-url", `not the URL of a gRPC signaling server: ${why}`);
}
