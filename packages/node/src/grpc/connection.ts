/** One HTTP/2 connection to a signaling server, from the TCP handshake to its end. */

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import { createConnection, isIP, type Socket } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";
import { WiceError } from "@wice/core";
import { onAbort } from "@wice/core/transport";
import { type ConnectPhase, connectError, connectTimeout, noHttp2 } from "./connect-error.ts";
import type { GrpcEndpoint } from "./endpoint.ts";
import { frameMessage } from "./framing.ts";
import { createLiveness } from "./liveness.ts";
import { type GrpcMethod, requestHeaders } from "./method.ts";
import type { GrpcSettings } from "./options.ts";

/**
 * How much may be under way to us: of one subscription, and of all. With the default of 64 KiB for both, a busy
 * subscription gets no more than that per round trip, and the server drops what it cannot send.
 */
const streamWindowBytes = 1_048_576;
const connectionWindowBytes = 4 * streamWindowBytes;

export interface Connection {
  /** The server's name for people: `host:port`. */
  readonly where: string;
  /** Whether new calls may start here: false once either side wants to end it. */
  readonly open: boolean;
  /** Why it ended, where it did so by a fault. */
  readonly failure: WiceError | undefined;
  /** Starts a stream. Streams keep the connection watched, and the process alive. Throws `unavailable`. */
  request(headers: OutgoingHttpHeaders): ClientHttp2Stream;
  /** A stream got HEADERS or DATA. */
  heard(): void;
  /** Ends every stream at once, with `reason`; resolves when the socket is gone. */
  close(reason: WiceError): Promise<void>;
}

export interface ConnectionOptions {
  readonly settings: GrpcSettings;
  /** Gives up connecting; its reason is a `WiceError`. */
  readonly signal: AbortSignal;
  /** False where the server has complained about PINGs. */
  pingsAllowed(): boolean;
  /** The server complained about PINGs. */
  onTooManyPings(): void;
  /** The connection is gone. */
  onClose(): void;
}

/** Resolves when the server has sent its HTTP/2 settings, so that everything before is told apart from a failed call. */
export function openConnection(options: ConnectionOptions): Promise<Connection> {
  const { settings, signal } = options;
  const { endpoint, pingIntervalMs: intervalMs, pingTimeoutMs } = settings;
  const where = endpoint.authority;

  return new Promise((resolve, reject) => {
    let phase: ConnectPhase = "tcp";
    let failure: WiceError | undefined;
    let streams = 0;

    const socket = openSocket(settings);
    const session = connect(`${endpoint.tls ? "https" : "http"}://${where}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: streamWindowBytes },
    });
    session.once("connect", () => {
      if (!session.destroyed) session.setLocalWindowSize(connectionWindowBytes);
    });
    const liveness = createLiveness({
      intervalMs,
      timeoutMs: pingTimeoutMs,
      bytesRead: () => socket.bytesRead,
      ping: (answered) => options.pingsAllowed() && session.ping(answered),
      ask: () => askForLife(session, endpoint, liveness.heard),
      onDead: () => fail(new WiceError("unavailable", `the connection to ${where} is dead`, { retryable: true })),
    });
    const closed = new Promise<void>((done) => socket.once("close", () => done()));

    const end = (): void => {
      session.destroy();
      // The session waits for the other side's farewell, which a dead network never brings.
      socket.destroy();
    };
    const fail = (error: WiceError): void => {
      failure ??= error;
      end();
    };
    const deadline = setTimeout(
      () => fail(connectTimeout(endpoint, phase, settings.connectTimeoutMs)),
      settings.connectTimeoutMs,
    );
    const removeAbort = onAbort(signal, () => fail(signal.reason as WiceError));

    socket.once("connect", () => {
      phase = endpoint.tls ? "tls" : "http2";
    });
    if (socket instanceof TLSSocket) {
      socket.once("secureConnect", () => {
        phase = "http2";
        if (socket.alpnProtocol !== "h2") fail(noHttp2(endpoint));
      });
    }
    session.once("remoteSettings", () => {
      phase = "ready";
      clearTimeout(deadline);
      removeAbort();
      session.unref();
      resolve(connection);
    });
    session.on("goaway", (code, _lastStream, data) => {
      if (code !== constants.NGHTTP2_ENHANCE_YOUR_CALM) return;
      failure ??= new WiceError("resource-exhausted", `${where} asks for fewer calls`, { retryable: true });
      if (data !== undefined && Buffer.from(data).toString("latin1") === "too_many_pings") options.onTooManyPings();
    });
    session.on("error", (error) => {
      failure ??= connectError(endpoint, phase, error);
    });
    session.once("close", () => {
      clearTimeout(deadline);
      removeAbort();
      liveness.close();
      socket.destroy();
      options.onClose();
      // Without effect on a promise that has resolved.
      reject(failure ?? connectError(endpoint, phase, undefined));
    });

    const connection: Connection = {
      where,
      get open() {
        return !session.closed && !session.destroyed;
      },
      get failure() {
        return failure;
      },
      request(headers) {
        if (failure !== undefined) throw failure;
        const stream = startStream(session, headers, where);
        streams += 1;
        if (streams === 1) {
          session.ref();
          liveness.start();
        }
        stream.once("close", () => {
          streams -= 1;
          if (streams > 0) return;
          liveness.stop();
          if (!session.destroyed) session.unref();
        });
        return stream;
      },
      heard: liveness.heard,
      close(reason) {
        fail(reason);
        return closed;
      },
    };
  });
}

function openSocket({ endpoint, ca, pingIntervalMs }: GrpcSettings): Socket {
  const { host, port, tls, skipVerify } = endpoint;
  const socket = tls
    ? connectTls({
        host,
        port,
        ALPNProtocols: ["h2"],
        rejectUnauthorized: !skipVerify,
        ...(isIP(host) === 0 && { servername: host }),
        ...(ca !== undefined && { ca: toPem(ca) }),
      })
    : createConnection({ host, port });
  socket.setNoDelay(true);
  // Where nothing waits for an answer, the kernels find out: Node has them ask every second, ten times, after this.
  socket.setKeepAlive(true, Math.max(1000, pingIntervalMs));
  return socket;
}

function toPem(ca: NonNullable<GrpcSettings["ca"]>): (string | Buffer)[] {
  const list = typeof ca === "string" || ca instanceof Uint8Array ? [ca] : ca;
  return list.map((pem) => (typeof pem === "string" ? pem : Buffer.from(pem)));
}

function startStream(session: ClientHttp2Session, headers: OutgoingHttpHeaders, where: string): ClientHttp2Stream {
  try {
    return session.request(headers, { endStream: false });
  } catch (cause) {
    throw new WiceError("unavailable", `the connection to ${where} is closing`, { cause, retryable: true });
  }
}

const buildInfo: GrpcMethod = "/cunicu.signaling.Signaling/GetBuildInfo";

/** What the answer says does not matter, not even whether it is a refusal. */
function askForLife(session: ClientHttp2Session, endpoint: GrpcEndpoint, heard: () => void): void {
  if (session.closed || session.destroyed) return;
  const stream = session.request(requestHeaders(endpoint, buildInfo), { endStream: false });
  stream.on("response", heard);
  stream.on("error", () => {});
  stream.resume();
  stream.end(frameMessage(new Uint8Array()));
}
