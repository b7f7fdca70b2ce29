/** coturn, as STUN and TURN server of a laboratory. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IceServer } from "@wice/core";
import type { Machine } from "./lab.ts";

export interface TurnServer extends AsyncDisposable {
  /** To learn one's own address. */
  readonly stun: IceServer;
  /** The same, for `--stun`. */
  readonly stunHost: string;
  /** To relay, too. */
  readonly turn: IceServer;
  /** The same, with a password that is wrong. */
  readonly refusing: IceServer;
}

const [username, credential] = ["lab", "secret"];

/** @param address where it listens, and relays from */
export async function startTurnServer(machine: Machine, address: string): Promise<TurnServer> {
  const folder = await mkdtemp(join(tmpdir(), "wice-turn-"));
  const child = await machine.start("turnserver", [
    ...["-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout", "--simple-log"],
    ...[`--listening-ip=${address}`, `--relay-ip=${address}`, "--lt-cred-mech", `--user=${username}:${credential}`],
    ...["--realm=lab", "--fingerprint", `--userdb=${join(folder, "users")}`, `--pidfile=${join(folder, "pid")}`],
  ]);
  // Its sockets are open by then.
  await child.until("text", ({ text }) => /Total General servers/.test(String(text)));
  const host = address.includes(":") ? `[${address}]` : address;
  const turn = { urls: `turn:${host}:3478?transport=udp`, username, credential };
  return {
    stun: { urls: `stun:${host}:3478` },
    stunHost: `${host}:3478`,
    turn,
    refusing: { ...turn, credential: "wrong" },
    async [Symbol.asyncDispose]() {
      await child.kill();
      await rm(folder, { recursive: true });
    },
  };
}
