/** coturn, as STUN and TURN server of a laboratory. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IceServer } from "@wice/core";
import { createCertificate } from "../certificate.ts";
import type { Machine } from "./lab.ts";

export interface TurnServer extends AsyncDisposable {
  /** To learn one's own address. */
  readonly stun: IceServer;
  /** The same, for `--stun`. */
  readonly stunHost: string;
  /** To relay, too. */
  readonly turn: IceServer;
  /** The same, reached by TCP. */
  readonly turnTcp: IceServer;
  /** The same, reached by TLS. */
  readonly turnTls: IceServer;
  /** The file with the certificate of that, which its clients have to trust. */
  readonly caFile: string;
  /** As {@link turn}, with a password that is wrong. */
  readonly refusing: IceServer;
}

const [username, credential] = ["lab", "secret"];

/** @param address where it listens, and relays from */
export async function startTurnServer(machine: Machine, address: string): Promise<TurnServer> {
  const folder = await mkdtemp(join(tmpdir(), "wice-turn-"));
  const certificate = await createCertificate(address);
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  await writeFile(cert, certificate.cert);
  await writeFile(key, certificate.key);
  const child = await machine.start("turnserver", [
    ...["-n", "--no-cli", "--no-dtls", "--log-file=stdout", "--simple-log", `--cert=${cert}`, `--pkey=${key}`],
    ...[`--listening-ip=${address}`, `--relay-ip=${address}`, "--lt-cred-mech", `--user=${username}:${credential}`],
    ...["--realm=lab", "--fingerprint", `--userdb=${join(folder, "users")}`, `--pidfile=${join(folder, "pid")}`],
  ]);
  // Its sockets are open by then.
  await child.until("text", ({ text }) => /Total General servers/.test(String(text)));
  const host = address.includes(":") ? `[${address}]` : address;
  const account = { username, credential };
  const turn = { urls: `turn:${host}:3478?transport=udp`, ...account };
  return {
    stun: { urls: `stun:${host}:3478` },
    stunHost: `${host}:3478`,
    turn,
    turnTcp: { urls: `turn:${host}:3478?transport=tcp`, ...account },
    turnTls: { urls: `turns:${host}:5349?transport=tcp`, ...account },
    caFile: cert,
    refusing: { ...turn, credential: "wrong" },
    async [Symbol.asyncDispose]() {
      await child.kill();
      await rm(folder, { recursive: true });
    },
  };
}
