/**
 * What a session's datagrams are measured against: the least that bare `node:dgram` must do for the same two hops. Four
 * sockets hand on what comes, as those of two programs `wice` do; nothing is looked up, queued, paced, counted or checked.
 */

import { reportTo } from "../relay/report.ts";
import { host, openSocket } from "./open-socket.ts";

const [entrance, ours, theirs, exit] = await Promise.all([openSocket(), openSocket(), openSocket(), openSocket()]);
const there = theirs.address().port;
const sink = Number(process.env.SINK_PORT);
entrance.on("message", (datagram) => ours.send(datagram, there, host, () => {}));
theirs.on("message", (datagram) => exit.send(datagram, sink, host, () => {}));
reportTo(process, entrance.address().port);
