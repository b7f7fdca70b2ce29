/** STUN and TURN servers, out of their URLs (RFC 7064, RFC 7065). */

import type { IceServer } from "@wice/core";

export interface StunServer {
  readonly kind: "stun";
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

export interface TurnServer {
  readonly kind: "turn";
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly transport: "udp" | "tcp" | "tls";
  readonly username: string;
  readonly password: string;
}

export interface UnusableServer {
  readonly kind: "unusable";
  readonly url: string;
  readonly why: string;
}

export type ParsedServer = StunServer | TurnServer | UnusableServer;

const form = /^(stuns?|turns?):(\[[0-9a-f:.]+\]|[^:?/[\]]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i;

export function parseServers(servers: readonly IceServer[]): ParsedServer[] {
  return servers.flatMap((server) => [server.urls].flat().map((url) => parse(url, server)));
}

function parse(url: string, { username, credential }: IceServer): ParsedServer {
  const [, scheme = "", name = "", portText, asked = "udp"] = form.exec(url) ?? [];
  const kind = scheme.toLowerCase();
  const host = name.replace(/^\[|\]$/g, "");
  const isSecure = kind.endsWith("s");
  const port = Number(portText ?? (isSecure ? 5349 : 3478));
  if (kind === "" || port === 0 || port > 65_535)
    return { kind: "unusable", url, why: "no URL of a STUN or TURN server" };
  if (kind === "stuns") return { kind: "unusable", url, why: "STUN over TLS shows no address of ours that UDP has" };
  if (kind === "stun") return { kind, url, host, port };
  if (username === undefined || credential === undefined)
    return { kind: "unusable", url, why: "a TURN server needs username and credential" };
  const transport = isSecure ? "tls" : asked.toLowerCase() === "tcp" ? "tcp" : "udp";
  return { kind: "turn", url, host, port, transport, username, password: credential };
}
