/** Notices that a connection is dead although nobody closed it. */

/** How the connection is watched and asked. */
export interface LivenessOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** How many bytes the server has sent so far, HTTP/2 frames of every kind included. */
  bytesRead(): number;
  /** Sends an HTTP/2 PING and calls back with its answer; false where that may not be. */
  ping(answered: () => void): boolean;
  /** Makes a small call that every server answers. */
  ask(): void;
  /** Nothing came for `timeoutMs` after the server was asked. */
  onDead(): void;
}

/**
 * A connection with open streams that was silent for `intervalMs` is asked for a sign of life, and given up after
 * `timeoutMs` more without one. Every byte counts as a sign: heartbeats and envelopes make the question needless.
 *
 * Asking is delicate. gRPC servers (grpc-go, grpc-java and gRPC core, with their defaults) count PINGs that come
 * within 5 minutes of another and close the connection at the third (`GOAWAY ENHANCE_YOUR_CALM too_many_pings`), but
 * start afresh whenever they send HEADERS or DATA (gRFC A8). So a PING is sent only when the server has sent one of
 * those since it answered the last, and otherwise a small call is made, whose answer pays for the next PING.
 */
export interface Liveness {
  /** HEADERS or DATA came. */
  heard(): void;
  /** The connection has streams now. Asks at once where it was out of use, since nobody knows what became of it. */
  start(): void;
  /** It has none any more. */
  stop(): void;
  /** The connection is closed: leaves no timer. */
  close(): void;
}

export function createLiveness(options: LivenessOptions): Liveness {
  const { intervalMs, timeoutMs, bytesRead, ping, ask, onDead } = options;
  let interval: NodeJS.Timeout | undefined;
  let deadline: NodeJS.Timeout | undefined;
  let active = false;
  let stoppedAt = performance.now();
  let seen = 0;
  let pinging = false;
  let pingPaid = false;

  const settle = (): void => {
    clearTimeout(deadline);
    deadline = undefined;
  };
  const close = (): void => {
    clearInterval(interval);
    interval = undefined;
    settle();
  };
  const tryPing = (): boolean => {
    if (!pingPaid || pinging) return false;
    pinging = ping(() => {
      pinging = false;
    });
    pingPaid = !pinging;
    return pinging;
  };
  const probe = (): void => {
    seen = bytesRead();
    if (!tryPing()) ask();
    deadline = setTimeout(judge, timeoutMs).unref();
  };
  const judge = (): void => {
    // After a suspension the timer may fire before an answer that has long been there is read: let it be read.
    setImmediate(() => {
      if (deadline === undefined) return;
      settle();
      if (bytesRead() === seen) onDead();
    });
  };
  const tick = (): void => {
    if (!active) return close();
    if (bytesRead() === seen) {
      if (deadline === undefined) probe();
      return;
    }
    settle();
    seen = bytesRead();
  };

  return {
    heard() {
      if (!pinging) pingPaid = true;
    },
    start() {
      active = true;
      seen = bytesRead();
      // Kept from one call to the next, and cleared by the first tick without one: calls come by thousands.
      interval ??= setInterval(tick, intervalMs).unref();
      if (performance.now() - stoppedAt >= intervalMs) probe();
    },
    stop() {
      active = false;
      stoppedAt = performance.now();
      settle();
    },
    close,
  };
}
