/** Ports: the usual one when it is free, and addresses: this machine's own, or all of them. */

import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { isWiceError, WiceError } from "@wice/core";

/** The given port and no other; or the usual one, those after it, and in the end any that is free. */
export function portsToTry(given: number | undefined, usual: number): readonly number[] {
  return given !== undefined ? [given] : [...Array.from({ length: 10 }, (_, i) => usual + i), 0];
}

/** Opens on the first port that is free. Rejects with what the last one was refused with. */
export async function openOnFirst<T>(ports: readonly number[], open: (port: number) => Promise<T>): Promise<T> {
  const [port = 0, ...others] = ports;
  try {
    return await open(port);
  } catch (error) {
    if (others.length === 0 || !isWiceError(error, "address-in-use")) throw error;
    return await openOnFirst(others, open);
  }
}

/** All addresses are those of both families, where the machine has both. */
export async function openOnHosts<T>(everywhere: boolean, open: (host: string) => Promise<T>): Promise<T> {
  if (!everywhere) return await open("127.0.0.1");
  try {
    return await open("::");
  } catch (error) {
    if (isMissingFamily(error) || (isWiceError(error) && isMissingFamily(error.cause))) return await open("0.0.0.0");
    throw error;
  }
}

function isMissingFamily(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(String(error.code));
}

/** Resolves with the port. Rejects with `address-in-use`, and with whatever else the system says. */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    // A browser that is sent to localhost asks ::1 first, and must not find another program there.
    if (host === "127.0.0.1" && port !== 0) await probe("::1", port);
    server.listen({ host, port });
    await once(server, "listening");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "EADDRINUSE") {
      throw new WiceError("address-in-use", `port ${port} is in use by another program; choose another`, { cause });
    }
    if (code === "EACCES" || code === "EPERM") {
      throw new WiceError("address-in-use", `not permitted to use port ${port}; choose one of 1024 or above`, {
        cause,
      });
    }
    throw cause;
  }
  return (server.address() as AddressInfo).port;
}

async function probe(host: string, port: number): Promise<void> {
  const server = createServer();
  try {
    server.listen({ host, port });
    await once(server, "listening");
  } catch (error) {
    if (!isMissingFamily(error)) throw error;
  } finally {
    if (server.listening) {
      server.close();
      await once(server, "close");
    }
  }
}
