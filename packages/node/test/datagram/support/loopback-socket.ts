/** A UDP socket on the loopback address, which is bound when one has it. */

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

/** @param port default any free one */
export async function bindLoopback(port = 0): Promise<Socket> {
  const socket = createSocket("udp4").bind(port, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}
