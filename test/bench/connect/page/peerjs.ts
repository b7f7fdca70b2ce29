/** PeerJS with its own signaling, and the options that it has by itself; but no servers of others. */

import { type DataConnection, Peer } from "peerjs";
import { type Caller, newMessage } from "./caller.ts";

export async function attachPeerJs(port: number): Promise<Caller> {
  const name = crypto.randomUUID();
  const peer = new Peer(name, { host: "127.0.0.1", port, path: "/", secure: false, config: { iceServers: [] } });
  const connections = new Set<DataConnection>();
  peer.on("connection", (connection) => {
    connections.add(connection);
    connection.on("data", (data) => void connection.send(data));
  });
  await new Promise((resolve, reject) => {
    peer.on("open", resolve);
    peer.on("error", reject);
  });
  return {
    name,
    call(to) {
      const connection = peer.connect(to);
      connections.add(connection);
      return new Promise((resolve, reject) => {
        connection.on("open", () => void connection.send(newMessage()));
        connection.on("data", () => resolve());
        connection.on("error", reject);
      });
    },
    async hangUp() {
      for (const connection of connections) connection.close();
      connections.clear();
    },
  };
}
