/** A TCP proxy whose wire a test can cut without either end being told. */

import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** While false, bytes that come from either side are kept, as on a dead network. */
  flowing: boolean;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function tcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let flowing = true;
  const pipe = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on("error", () => {});
    from.on("data", (chunk: Buffer) => {
      if (flowing) to.write(chunk);
    });
    from.on("close", () => {
      sockets.delete(from);
      if (flowing) to.destroy();
    });
  };
  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    pipe(client, target);
    pipe(target, client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get flowing() {
      return flowing;
    },
    set flowing(value) {
      flowing = value;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
