/** The STUN and TURN servers that a relay tells its peers of, and short-lived credentials for them. */

import { createHmac } from "node:crypto";
import { isIPv6 } from "node:net";
import { WiceError } from "@wice/core";

/** A STUN or TURN server. */
export interface IceServer {
  /** As RFC 7064 and RFC 7065 write it, without credentials: `turn:turn.example.org:3478?transport=udp`. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The secret that is shared with the TURN server, for credentials that expire. Never leaves the relay. */
  readonly secret?: string | undefined;
  /** How long such credentials are good for. Default one hour. */
  readonly ttlSeconds?: number | undefined;
}

export interface TurnCredentials {
  readonly username: string;
  readonly password: string;
}

const defaultTtlSeconds = 3_600;
const usage =
  "write stun:HOST[:PORT], turn:USER:PASSWORD@HOST[:PORT][?transport=udp] or turn:HOST[:PORT]?secret=SECRET&ttl=1h";

/**
 * Reads the URL of a STUN or TURN server as the command line takes it: RFC 7064 or RFC 7065, and, as upstream has it,
 *
 * - static credentials before the host: `turn:user:password@host:3478?transport=udp`; reserved characters in them
 *   (`@`, `:`, `/`, `?`, `%`) are percent-encoded;
 * - or `secret` and `ttl` parameters for credentials of the TURN REST API: `turn:host:3478?secret=…&ttl=1h`; a name
 *   before the host then takes the place of the peer's key. A lifetime is written `90s`, `30m`, `1h30m`, or as seconds.
 *
 * IPv6 addresses stand in brackets. Throws `invalid-url`, with nothing of the URL in the message.
 *
 * ```ts
 * const relay = await createRelay({ iceServers: [parseIceServer("stun:stun.example.org:3478")] });
 * ```
 */
export function parseIceServer(text: string): IceServer {
  const match =
    /^(stuns?|turns?):(?!\/\/)(?:([^@/?#]*)@)?(\[[^\]]*\]|[^:/?#[\]@]+)(?::(\d{1,5}))?(?:\?([^#]*))?$/i.exec(
      text.trim(),
    );
  if (match === null) throw invalid(`not the URL of a STUN or TURN server; ${usage}`);
  const scheme = (match[1] as string).toLowerCase();
  const [, , login, host = "", port, query = ""] = match;
  const isTurn = scheme.startsWith("turn");
  checkHost(host);
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    throw invalid("the port must be between 1 and 65535");
  if (!isTurn && (login !== undefined || query !== ""))
    throw invalid("a STUN server has neither credentials nor parameters");
  const { transport, secret, ttlSeconds } = readParameters(query);
  const [username, password] = readLogin(login);
  if (isTurn && secret === undefined && (username === undefined || password === undefined)) {
    throw invalid(`a TURN server needs credentials; ${usage}`);
  }
  if (secret !== undefined && password !== undefined) throw invalid("give a TURN server either a password or a secret");
  if (secret === undefined && ttlSeconds !== undefined)
    throw invalid("ttl belongs to secret: a password does not expire");
  const url = `${scheme}:${host}${port === undefined ? "" : `:${Number(port)}`}${transport === undefined ? "" : `?transport=${transport}`}`;
  return {
    url,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(secret === undefined ? {} : { secret, ttlSeconds: ttlSeconds ?? defaultTtlSeconds }),
  };
}

/**
 * Credentials of the TURN REST API (draft-uberti-behave-turn-rest): the user name is `<expiry>:<name>`, where the name
 * is usually a peer's public key in base64, and the password is the base64 HMAC-SHA1 of it.
 */
export function turnRestCredentials(
  secret: string,
  name: { toString(): string },
  expiresUnix: number,
): TurnCredentials {
  const username = `${Math.floor(expiresUnix)}:${name}`;
  return { username, password: createHmac("sha1", secret).update(username).digest("base64") };
}

/** What a peer is told of a server now, and until when it may use it (seconds since 1970). */
export function credentialsFor(
  server: IceServer,
  publicKey: string,
  nowUnix: number,
): Partial<TurnCredentials> & { readonly expiresUnix?: number } {
  const { username, password, secret, ttlSeconds = defaultTtlSeconds } = server;
  if (secret === undefined) {
    return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
  }
  const expiresUnix = Math.floor(nowUnix + ttlSeconds);
  return { ...turnRestCredentials(secret, username ?? publicKey, expiresUnix), expiresUnix };
}

function checkHost(host: string): void {
  const valid = host.startsWith("[") ? isIPv6(host.slice(1, -1)) : /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?$/i.test(host);
  if (!valid) throw invalid("the host is neither a name nor an IP address (IPv6 addresses stand in brackets)");
}

function readLogin(login: string | undefined): [username: string | undefined, password: string | undefined] {
  if (login === undefined) return [undefined, undefined];
  const colon = login.indexOf(":");
  const username = decode(colon === -1 ? login : login.slice(0, colon));
  const password = colon === -1 ? undefined : decode(login.slice(colon + 1));
  if (username === "" || password === "") throw invalid("neither user nor password may be empty");
  return [username, password];
}

function readParameters(query: string): { transport?: string; secret?: string; ttlSeconds?: number } {
  const found: { transport?: string; secret?: string; ttlSeconds?: number } = {};
  for (const pair of query === "" ? [] : query.split("&")) {
    const equals = pair.indexOf("=");
    const name = equals === -1 ? pair : pair.slice(0, equals);
    // Not URLSearchParams, which would read the + of a base64 secret as a space.
    const value = equals === -1 ? "" : decode(pair.slice(equals + 1));
    if (name === "transport" && found.transport === undefined) {
      if (value !== "udp" && value !== "tcp") throw invalid("transport must be udp or tcp");
      found.transport = value;
    } else if (name === "secret" && found.secret === undefined) {
      if (value === "") throw invalid("the secret must not be empty");
      found.secret = value;
    } else if (name === "ttl" && found.ttlSeconds === undefined) {
      found.ttlSeconds = readDuration(value);
    } else throw invalid("the parameters are transport, secret and ttl, each at most once");
  }
  return found;
}

function readDuration(text: string): number {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/.exec(text);
  const [hours, minutes, seconds] = (match ?? []).slice(1).map((part) => Number(part ?? 0));
  const total = (hours ?? 0) * 3_600 + (minutes ?? 0) * 60 + (seconds ?? 0);
  if (total < 1 || total > 31_536_000) throw invalid("ttl must be a lifetime like 90s, 30m or 1h, at most a year");
  return total;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw invalid("a percent sign must be followed by two hexadecimal digits", cause);
  }
}

function invalid(message: string, cause?: unknown): WiceError {
  return new WiceError("invalid-url", message, cause === undefined ? {} : { cause });
}
