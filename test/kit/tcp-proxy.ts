/** A TCP proxy between a client and a server under test: the network, with its faults on command. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface TcpProxyOptions {
  /** Where connections go. */
  readonly target: { readonly host?: string; readonly port: number };
  /** Where the proxy listens: a loopback address. Default `"127.0.0.1"`; `"::1"` for IPv6. */
  readonly host?: string;
  /** Default 0: a free one. */
  readonly port?: number;
}

export interface TcpProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** `host:port` as it stands in a URL. */
  readonly address: string;
  /** Connections now open on the client's side. */
  readonly open: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Bytes read so far, those that were swallowed included. */
  readonly bytes: { readonly fromClients: number; readonly fromTarget: number };
  /** Where connections made from now on go. */
  retarget(target: TcpProxyOptions["target"]): void;
  /** Ends every connection: both sides see a reset, or an orderly end when `reset` is false. */
  cut(options?: { readonly reset?: boolean }): void;
  /**
   * Half-open: what either side sends is taken and lost, and no end of a connection is passed on, as when a NAT forgot
   * the connection. Connections made before {@link heal} stay that way for good; those made after it work.
   */
  blackhole(): void;
  /** Everything that passes from now on arrives so much later, in order. */
  delay(delayMs: number): void;
  /** Closes the port, so that new connections are refused. Those that are open stay. */
  refuse(): Promise<void>;
  /** Ends the effect of {@link blackhole}, {@link delay} and {@link refuse} for new connections. */
  heal(): Promise<void>;
  close(): Promise<void>;
}

interface Link {
  readonly client: Socket;
  readonly upstream: Socket | undefined;
  blackholed: boolean;
}

/**
 * ```ts
 * await using proxy = await createTcpProxy({ target: { port: relay.port } });
 * const transport = createGrpcTransport(`grpc://${proxy.address}?insecure=true`);
 * proxy.blackhole();
 * ```
 */
export async function createTcpProxy(options: TcpProxyOptions): Promise<TcpProxy> {
  const host = options.host ?? "127.0.0.1";
  let target = options.target;
  const bytes = { fromClients: 0, fromTarget: 0 };
  const links = new Set<Link>();
  let accepted = 0;
  let blackholed = false;
  let delayMs = 0;
  let server: Server | undefined;

  const accept = (client: Socket): void => {
    accepted++;
    const upstream = blackholed
      ? undefined
      : connect({ host: target.host ?? "127.0.0.1", port: target.port, allowHalfOpen: true, noDelay: true });
    const link: Link = { client, upstream, blackholed };
    links.add(link);
    client.on("close", () => links.delete(link));
    const getDelayMs = (): number => delayMs;
    carry(link, client, upstream, (length) => (bytes.fromClients += length), getDelayMs);
    if (upstream !== undefined) carry(link, upstream, client, (length) => (bytes.fromTarget += length), getDelayMs);
  };
  const listen = async (port: number): Promise<Server> => {
    const opened = createServer({ allowHalfOpen: true, noDelay: true }, accept).listen({ host, port });
    await once(opened, "listening");
    return opened;
  };
  const refuse = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    // Its callback waits for the last connection; the port is free at once.
    closing?.close();
  };
  const cut = (reset: boolean): void => {
    for (const { client, upstream } of links) {
      for (const socket of [client, upstream]) {
        if (reset) socket?.resetAndDestroy();
        else socket?.destroySoon();
      }
    }
  };

  server = await listen(options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    await refuse();
    cut(true);
  };
  return {
    host,
    port,
    address: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
    bytes,
    get open() {
      return links.size;
    },
    get accepted() {
      return accepted;
    },
    retarget(to) {
      target = to;
    },
    cut({ reset = true } = {}) {
      cut(reset);
    },
    blackhole() {
      blackholed = true;
      for (const link of links) link.blackholed = true;
    },
    delay(ms) {
      delayMs = ms;
    },
    refuse,
    async heal() {
      blackholed = false;
      delayMs = 0;
      server ??= await listen(port);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** One direction of a connection. */
function carry(
  link: Link,
  from: Socket,
  to: Socket | undefined,
  count: (length: number) => void,
  delayMs: () => number,
): void {
  let last: Promise<void> = Promise.resolve();
  /** Does it after the delay, and after everything before it. */
  const inOrder = (act: () => void): void => {
    const ms = delayMs();
    const due = ms === 0 ? undefined : new Promise((resolve) => setTimeout(resolve, ms));
    last = last.then(() => due).then(act);
  };
  from.on("data", (chunk) => {
    count(chunk.length);
    if (link.blackholed) return;
    inOrder(() => {
      if (link.blackholed || to === undefined || to.destroyed) return;
      if (to.write(chunk)) return;
      from.pause();
      to.once("drain", () => from.resume());
    });
  });
  from.on("end", () => {
    if (!link.blackholed) inOrder(() => to?.end());
  });
  from.on("error", () => {});
  from.on("close", (failed) => {
    if (link.blackholed || to === undefined) return;
    inOrder(() => (failed ? to.resetAndDestroy() : to.end()));
  });
}
