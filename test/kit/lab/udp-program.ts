/**
 * UDP sockets as a process of its own, for a machine of the laboratory: one for each port that it is given. It tells as lines of
 * JSON what each has heard, and sends what it is told to: `{ do: "send", id, at, text, port, address }`. Ends with its stdin.
 */

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createInterface } from "node:readline";

export interface SendCommand {
  readonly do: "send";
  readonly id: number;
  /** The port that it leaves from. */
  readonly at: number;
  readonly text: string;
  readonly port: number;
  readonly address: string;
}

const [address, ...ports] = process.argv.slice(2);
const say = (event: string, more: object = {}): void => console.log(JSON.stringify({ event, ...more }));
process.stdin.on("end", () => process.exit());

const sockets = new Map<number, Socket>();
for (const at of ports.map(Number)) {
  const socket = createSocket("udp4");
  socket.on("message", (text, from) => say("heard", { at, text: `${text}`, port: from.port, address: from.address }));
  // A port that is closed says so to who sends to it.
  socket.on("error", () => {});
  socket.bind(at, address);
  await once(socket, "listening");
  sockets.set(at, socket);
}
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, at, text, port, address: to } = JSON.parse(line) as SendCommand;
  sockets.get(at)?.send(text, port, to, () => say("sent", { id }));
});
say("ready");
