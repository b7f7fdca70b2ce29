/** A UDP socket on loopback that looks no address up: what bare `node:dgram` has to do, and no more. */

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

export const host = "127.0.0.1";

export async function openSocket(): Promise<Socket> {
  const socket = createSocket({ type: "udp4", lookup: (name, _, done) => done(null, name, 4) });
  // Without a lookup that takes time, it listens within the call.
  const listening = once(socket, "listening");
  socket.bind(0, host);
  await listening;
  return socket;
}
