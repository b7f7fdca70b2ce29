/** A real STUN and TURN server on loopback: Debian's coturn. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeStun, method, parseStun } from "../../../src/datagram/ice/stun-message.ts";

export interface Coturn extends AsyncDisposable {
  readonly port: number;
  readonly tlsPort: number;
  readonly username: string;
  readonly credential: string;
  /** Of the certificate for `localhost`. */
  readonly ca: string;
}

export function hasCoturn(): boolean {
  return spawnSync("turnserver", ["--version"]).error === undefined;
}

export async function startCoturn(certificate: { readonly cert: string; readonly key: string }): Promise<Coturn> {
  const folder = await mkdtemp(join(tmpdir(), "coturn-"));
  const [port, tlsPort] = [await freePort(), await freePort()];
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  await Promise.all([writeFile(cert, certificate.cert), writeFile(key, certificate.key)]);
  const server: ChildProcess = spawn(
    "turnserver",
    [
      ...["-n", "--log-file=stdout", "--simple-log", "--no-cli", "--allow-loopback-peers", "--fingerprint"],
      ...["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", `--listening-port=${port}`],
      ...[`--tls-listening-port=${tlsPort}`, `--cert=${cert}`, `--pkey=${key}`, "--no-dtls"],
      ...["--lt-cred-mech", "--realm=wice.test", "--user=alice:secret", "--stale-nonce=600"],
      ...[`--pidfile=${join(folder, "pid")}`, `--userdb=${join(folder, "db")}`],
    ],
    { stdio: "ignore" },
  );
  await answers(port, server);
  return {
    ...{ port, tlsPort, username: "alice", credential: "secret", ca: certificate.cert },
    async [Symbol.asyncDispose]() {
      if (server.exitCode === null && server.signalCode === null) {
        server.kill("SIGKILL");
        await once(server, "exit");
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when the server answers a STUN request. */
async function answers(port: number, server: ChildProcess): Promise<void> {
  const socket = createSocket("udp4");
  const heard = new Promise<void>((resolve) => {
    socket.on("message", (packet) => {
      if (parseStun(packet) !== undefined) resolve();
    });
  });
  const packet = encodeStun({ method: method.binding, kind: "request", id: Buffer.alloc(12, 1), attributes: [] });
  const timer = setInterval(() => socket.send(packet, port, "127.0.0.1"), 50);
  try {
    const ended = once(server, "exit").then(() => {
      throw new Error("coturn does not start");
    });
    await Promise.race([heard, ended]);
  } finally {
    clearInterval(timer);
    socket.close();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
