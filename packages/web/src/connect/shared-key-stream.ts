/**
 * One stream for all tabs of an origin. The tab that holds a Web Lock leads: it has the stream, and hands the others
 * what is theirs over a BroadcastChannel. When it goes away, the next in line leads; what the others had subscribed is
 * lost then, as with a relay that restarts, and subscribed anew.
 *
 * What tabs tell each other is sealed envelopes and public keys; scripts of the same origin are trusted, as everywhere.
 */

import {
  type Clock,
  decodeEnvelope,
  encodeEnvelope,
  PublicKey,
  randomBytes,
  type Timer,
  WiceError,
  type WiceErrorCode,
} from "@wice/core";
import { onAbort } from "@wice/core/transport";
import type { KeyStream, Taker } from "./key-stream.ts";

/** How long the leader may take to answer; it does so in an event, which browsers do not delay in background tabs. */
const answerMs = 3_000;
/** How often a tab with subscriptions asks whether the leader is there. */
const pingMs = 15_000;

/** From a tab to the leader. `tab` is the sender. */
type Request =
  | { readonly type: "join"; readonly tab: string; readonly ticket: number; readonly key: string }
  | { readonly type: "leave"; readonly tab: string; readonly ticket: number }
  | { readonly type: "ping"; readonly tab: string };

/** From the leader to one tab, or to all. */
type Answer =
  | { readonly type: "leading"; readonly leader: string }
  | { readonly type: "here"; readonly to: string }
  | { readonly type: "live"; readonly to: string; readonly ticket: number }
  | { readonly type: "envelope"; readonly to: string; readonly ticket: number; readonly bytes: Uint8Array }
  | { readonly type: "end"; readonly to: string; readonly ticket: number; readonly error: PlainError };

/** A {@link WiceError} as a structured clone keeps it. */
interface PlainError {
  readonly code: WiceErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
}

/** One subscription of this tab. */
interface Ticket {
  readonly number: number;
  readonly key: PublicKey;
  readonly taker: Taker;
  live: boolean;
  /** What ends it at our own stream, while we lead. */
  leave: (() => void) | undefined;
}

/** What a leader does for another tab. */
interface Guest {
  /** What ends each of its tickets. */
  readonly leaves: Map<number, () => void>;
  /** Stops waiting for the tab's end. */
  readonly forget: AbortController;
}

/** Whether this platform can do it: secure contexts of browsers can. */
export function canShare(): boolean {
  return globalThis.navigator?.locks !== undefined && typeof BroadcastChannel === "function";
}

/**
 * @param name what the streams that can be shared have in common
 * @param openOwn makes the stream of a leader
 */
export function createSharedKeyStream(name: string, openOwn: () => KeyStream, clock: Clock): KeyStream {
  const { locks } = navigator;
  const tickets = new Map<number, Ticket>();
  const guests = new Map<string, Guest>();
  let lastNumber = 0;
  let channel: BroadcastChannel | undefined;
  /** This tab's name, a new one each time that it has something to subscribe after it had nothing. */
  let tab = "";
  /** Ends what this tab asked of the lock manager. */
  let presence: AbortController | undefined;
  /** The lock with our name is ours: whoever leads can see when we are gone. */
  let present = false;
  /** Waits for the lead. */
  let inLine = false;
  let own: KeyStream | undefined;
  /** Gives the lead up. */
  let resign: (() => void) | undefined;
  let ping: Timer | undefined;
  let deadline: Timer | undefined;

  const tabLock = (other: string): string => `${name} tab ${other}`;
  const post = (message: Request | Answer): void => channel?.postMessage(message);

  const start = (): void => {
    if (channel !== undefined) return;
    channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }: MessageEvent<Request | Answer>) => onMessage(data);
    tab = toHex(randomBytes(8));
    presence = new AbortController();
    const { signal } = presence;
    hold(tabLock(tab), { signal }, async () => {
      if (signal.aborted) return;
      present = true;
      if (own === undefined) askAll();
      await untilAborted(signal);
    });
    lead();
    schedulePing();
  };

  /** Leaves the other tabs alone until there is something to subscribe again. */
  const stop = (): void => {
    if (channel === undefined) return;
    stepDown();
    presence?.abort();
    present = false;
    ping?.cancel();
    deadline?.cancel();
    ping = undefined;
    deadline = undefined;
    channel.close();
    channel = undefined;
  };
  const stopIfIdle = (): void => {
    if (tickets.size === 0 && guests.size === 0) stop();
  };

  const hold = (lock: string, options: LockOptions, held: () => Promise<void>): void => {
    locks.request(lock, options, held).catch(() => {
      // Aborted, or taken away by another tab.
      if (lock === name && own !== undefined) deposed();
    });
  };

  /** Waits in line for the lead. */
  const lead = (): void => {
    if (inLine || presence === undefined) return;
    inLine = true;
    const { signal } = presence;
    hold(name, { signal }, () => {
      inLine = false;
      return signal.aborted ? Promise.resolve() : keepLead();
    });
    onAbort(signal, () => {
      inLine = false;
    });
  };
  /** Takes the lead away from a tab that does not answer. */
  const takeLead = (): void => {
    const since = presence;
    hold(name, { steal: true }, () => (presence === since && channel !== undefined ? keepLead() : Promise.resolve()));
  };
  const keepLead = (): Promise<void> =>
    new Promise((resolve) => {
      resign = resolve;
      becomeLeader();
    });

  const becomeLeader = (): void => {
    deadline?.cancel();
    deadline = undefined;
    own = openOwn();
    post({ type: "leading", leader: tab });
    loseLive();
    for (const ticket of tickets.values()) joinOwn(ticket);
  };

  const stepDown = (): void => {
    if (own === undefined) return;
    own.close();
    own = undefined;
    for (const { forget } of guests.values()) forget.abort();
    guests.clear();
    resign?.();
    resign = undefined;
  };

  /** Another tab thought that we do not answer, and has the lead now. */
  const deposed = (): void => {
    stepDown();
    for (const ticket of tickets.values()) ticket.leave = undefined;
    loseLive();
    lead();
    askAll();
  };

  const loseLive = (): void => {
    const error = new WiceError("unavailable", "the tab that had the stream of the relay is gone", { retryable: true });
    for (const ticket of [...tickets.values()]) if (ticket.live) endTicket(ticket, error);
  };
  const endTicket = (ticket: Ticket, error: WiceError): void => {
    if (tickets.delete(ticket.number)) ticket.taker.onEnd(error);
    stopIfIdle();
  };

  const joinOwn = (ticket: Ticket): void => {
    ticket.leave = own?.join(ticket.key, {
      onLive() {
        ticket.live = true;
        ticket.taker.onLive();
      },
      onEnvelope: (envelope) => ticket.taker.onEnvelope(envelope),
      onEnd: (error) => endTicket(ticket, error),
    });
  };

  const joinOf = ({ number, key }: Ticket): Request => ({ type: "join", tab, ticket: number, key: key.toString() });
  const ask = (request: Request): void => {
    post(request);
    deadline ??= clock.schedule(answerMs, () => {
      deadline = undefined;
      if (own === undefined && channel !== undefined) takeLead();
    });
  };
  const askAll = (): void => {
    if (present) for (const ticket of tickets.values()) ask(joinOf(ticket));
  };
  const schedulePing = (): void => {
    ping = clock.schedule(pingMs, () => {
      if (own === undefined && present) ask({ type: "ping", tab });
      schedulePing();
    });
  };

  const onMessage = (message: Request | Answer): void => {
    if ("tab" in message) {
      if (own !== undefined) serve(message);
    } else if (message.type === "leading") {
      if (own !== undefined || message.leader === tab) return;
      loseLive();
      askAll();
    } else if (message.to === tab) {
      onAnswer(message);
    }
  };

  const onAnswer = (answer: Exclude<Answer, { type: "leading" }>): void => {
    deadline?.cancel();
    deadline = undefined;
    const ticket = answer.type === "here" ? undefined : tickets.get(answer.ticket);
    if (ticket === undefined || own !== undefined) return;
    if (answer.type === "live") {
      ticket.live = true;
      ticket.taker.onLive();
    } else if (answer.type === "envelope") {
      if (ticket.live) ticket.taker.onEnvelope(decodeEnvelope(answer.bytes));
    } else if (answer.type === "end") {
      const { code, message, retryable, retryAfterMs } = answer.error;
      const again = retryAfterMs !== undefined && { retryAfterMs };
      endTicket(ticket, new WiceError(code, message, { retryable, ...again }));
    }
  };

  /** As the leader. */
  const serve = (request: Request): void => {
    const to = request.tab;
    if (request.type !== "leave") post({ type: "here", to });
    if (request.type === "leave") {
      const guest = guests.get(to);
      guest?.leaves.get(request.ticket)?.();
      guest?.leaves.delete(request.ticket);
    } else if (request.type === "join") {
      const guest = guests.get(to) ?? welcome(to);
      const { ticket } = request;
      if (guest.leaves.has(ticket) || own === undefined) return;
      const leave = own.join(PublicKey.parse(request.key), {
        onLive: () => post({ type: "live", to, ticket }),
        onEnvelope: (envelope) => post({ type: "envelope", to, ticket, bytes: encodeEnvelope(envelope) }),
        onEnd({ code, message, retryable, retryAfterMs }) {
          guest.leaves.delete(ticket);
          post({ type: "end", to, ticket, error: { code, message, retryable, retryAfterMs } });
        },
      });
      guest.leaves.set(ticket, leave);
    }
  };

  const welcome = (other: string): Guest => {
    const guest: Guest = { leaves: new Map(), forget: new AbortController() };
    guests.set(other, guest);
    // Granted when the tab no longer holds it: it has closed, or has nothing subscribed.
    hold(tabLock(other), { signal: guest.forget.signal }, async () => {
      if (!guests.delete(other)) return;
      for (const leave of guest.leaves.values()) leave();
      stopIfIdle();
    });
    return guest;
  };

  return {
    join(key, taker) {
      start();
      lastNumber += 1;
      const ticket: Ticket = { number: lastNumber, key, taker, live: false, leave: undefined };
      tickets.set(ticket.number, ticket);
      if (own !== undefined) joinOwn(ticket);
      else if (present) ask(joinOf(ticket));
      return () => {
        if (!tickets.delete(ticket.number)) return;
        if (ticket.leave !== undefined) ticket.leave();
        else post({ type: "leave", tab, ticket: ticket.number });
        stopIfIdle();
      };
    },
    renew() {
      if (own !== undefined) own.renew();
      else if (present) ask({ type: "ping", tab });
    },
    sleep() {
      // A frozen tab answers pings, and its stream brings nothing; it must not lead, nor be next in line.
      const ended = [...tickets.values()];
      tickets.clear();
      stop();
      const error = new WiceError("unavailable", "the browser froze this page", { retryable: true });
      for (const { taker } of ended) taker.onEnd(error);
    },
    close() {
      tickets.clear();
      stop();
    },
  };
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
