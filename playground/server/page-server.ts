/** Serves the page from its sources, and passes calls for the relay on: one address for both. */

import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createSecureServer } from "node:http2";
import type { Server, Socket } from "node:net";
import { createServer as createVite } from "vite";
import config from "../vite.config.ts";
import { createForwarder } from "./forward.ts";
import { listen } from "./listen.ts";

export interface PageServerOptions {
  readonly host: string;
  readonly port: number;
  readonly relay: { readonly host: string; readonly port: number };
  /** In PEM. Without it the page is served over plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

export interface PageServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Rejects with `address-in-use`. */
export async function openPageServer({ host, port, relay, tls }: PageServerOptions): Promise<PageServer> {
  const forwarder = createForwarder(relay);
  let servePage: RequestListener = (_, response) => void response.writeHead(503).end();
  const serve: RequestListener = (request, response) => {
    if (forwarder.forward(request, response)) return;
    // What a page cannot say of itself: nobody may put it into a frame, and lay something over its buttons.
    response.setHeader("content-security-policy", "frame-ancestors 'none'");
    servePage(request, response);
  };
  // HTTP/2 lets a page have any number of streams; its requests and responses are used as those of HTTP/1.1.
  const server: Server =
    tls === undefined ? createHttpServer(serve) : createSecureServer({ ...tls, allowHTTP1: true }, serve as never);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });

  // First the port: it is what most often does not work, and Vite takes a while.
  const taken = await listen(server, host, port);
  const vite = await createVite({ ...config, configFile: false });
  servePage = vite.middlewares;

  return {
    port: taken,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      forwarder.close();
      await closed;
      await vite.close();
    },
  };
}
