/**
 * What a session's datagrams are measured against: the least that bare `node:dgram` must do for the same two hops. Four
 * sockets hand on what comes, as those of two programs `wice` do; nothing is looked up, queued, paced, counted or checked.
 */

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { reportTo } from "../relay/report.ts";

const host = "127.0.0.1";
const [entrance, ours, theirs, exit] = await Promise.all([open(), open(), open(), open()]);
const there = theirs.address().port;
const sink = Number(process.env.SINK_PORT);
entrance.on("message", (datagram) => ours.send(datagram, there, host, () => {}));
theirs.on("message", (datagram) => exit.send(datagram, sink, host, () => {}));
reportTo(process, entrance.address().port);

async function open(): Promise<Socket> {
  const socket = createSocket({ type: "udp4", lookup: (name, _, done) => done(null, name, 4) });
  // Without a lookup that takes time, it listens within the call.
  const listening = once(socket, "listening");
  socket.bind(0, host);
  await listening;
  return socket;
}
