/**
 * One stream for all tabs of an origin. The tab that holds a Web Lock leads: it has the stream, and hands the others
 * what is theirs over a BroadcastChannel. When it goes away, the next in line leads; what the others had subscribed is
 * lost then, as with a relay that restarts, and subscribed anew.
 *
 * What tabs tell each other is sealed envelopes and public keys; scripts of the same origin are trusted, as everywhere.
 */

import { type Clock, decodeEnvelope, type PublicKey, randomBytes, type Timer, WiceError } from "@wice/core";
import { createGuests, type Guests } from "./guests.ts";
import type { KeyStream, Taker } from "./key-stream.ts";
import { type Answer, fromPlainError, type Notice, type Request, type TabMessage } from "./tab-messages.ts";

/**
 * How long the leader may take to answer, twice; it does so in an event, which browsers do not delay in background tabs.
 * Twice, because a tab that was frozen finds its timers due before it reads the answer that has long been there.
 */
const answerMs = 1_500;
const patience = 2;
/** How often a tab with subscriptions asks whether the leader is there. */
const pingMs = 15_000;
/** How long a tab stays that has nothing subscribed: subscriptions that were lost come again soon. */
const idleMs = 5_000;

/** One subscription of this tab. */
interface Ticket {
  readonly number: number;
  readonly key: PublicKey;
  readonly taker: Taker;
  live: boolean;
  /** What ends it at our own stream, while we lead. */
  leave: (() => void) | undefined;
}

/** From the first subscription of this tab until it has had none for a while. */
interface Presence {
  readonly tab: string;
  readonly channel: BroadcastChannel;
  /** Ends what was asked of the lock manager. */
  readonly stop: AbortController;
  /** The lock with our name is ours: whoever leads can see when we are gone. */
  announced: boolean;
  /** Waits for the lead. */
  inLine: boolean;
}

/** While this tab leads. */
interface Term {
  readonly name: string;
  readonly own: KeyStream;
  readonly guests: Guests;
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
  let lastNumber = 0;
  let presence: Presence | undefined;
  let term: Term | undefined;
  /** Gives the lock back that we lead by. */
  let release: (() => void) | undefined;
  /** The term of the leader whose answers count: of two that believe to lead, only one does. */
  let following: string | undefined;
  let unanswered = 0;
  const timers: { ping?: Timer | undefined; deadline?: Timer | undefined; idle?: Timer | undefined } = {};

  const schedule = (timer: keyof typeof timers, delayMs: number, callback: () => void): void => {
    timers[timer] ??= clock.schedule(delayMs, () => {
      timers[timer] = undefined;
      callback();
    });
  };
  const cancel = (timer: keyof typeof timers): void => {
    timers[timer]?.cancel();
    timers[timer] = undefined;
  };

  const lockOf = (tab: string): string => `${name} tab ${tab}`;
  const post = (message: TabMessage): void => presence?.channel.postMessage(message);

  const start = (): Presence => {
    cancel("idle");
    if (presence !== undefined) return presence;
    const mine: Presence = {
      tab: randomName(),
      channel: new BroadcastChannel(name),
      stop: new AbortController(),
      announced: false,
      inLine: false,
    };
    presence = mine;
    mine.channel.onmessage = ({ data }: MessageEvent<TabMessage>) => onMessage(mine, data);
    announce(mine);
    standInLine(mine);
    schedulePing();
    return mine;
  };

  /** Leaves the other tabs alone until there is something to subscribe again. */
  const stop = (): void => {
    if (presence === undefined) return;
    endTerm();
    const { channel, stop } = presence;
    presence = undefined;
    following = undefined;
    heardLeader();
    cancel("ping");
    cancel("idle");
    stop.abort();
    channel.close();
  };
  const stopIfIdle = (): void => {
    if (presence === undefined || tickets.size > 0 || (term !== undefined && term.guests.size > 0)) return;
    schedule("idle", idleMs, () => {
      if (tickets.size === 0 && (term === undefined || term.guests.size === 0)) stop();
    });
  };

  const announce = (mine: Presence): void => {
    const { signal } = mine.stop;
    const hold = async (): Promise<void> => {
      if (signal.aborted) return;
      mine.announced = true;
      if (term === undefined) askAll();
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    };
    locks.request(lockOf(mine.tab), { signal }, hold).catch(() => refused(mine));
  };

  const standInLine = (mine: Presence): void => {
    if (mine.inLine) return;
    mine.inLine = true;
    void holdLead(mine, { signal: mine.stop.signal });
  };

  /** Settles once the lock is ours no longer, or cannot be. */
  const holdLead = async (mine: Presence, options: LockOptions): Promise<void> => {
    let giveBack: (() => void) | undefined;
    const hold = (): Promise<void> | undefined => {
      if (options.steal !== true) mine.inLine = false;
      if (presence !== mine) return undefined;
      return new Promise((resolve) => {
        // Where we took it from ourselves, the term goes on under the new lock.
        giveBack = resolve;
        release = resolve;
        startTerm(mine);
      });
    };
    try {
      await locks.request(name, options, hold);
    } catch {
      if (giveBack === undefined) refused(mine);
      else if (giveBack === release) deposed();
    }
  };

  /** The platform has locks, and does not let this page have any, as in sandboxed frames: it has a stream of its own. */
  const refused = (mine: Presence): void => {
    if (!mine.stop.signal.aborted) startTerm(mine);
  };

  const startTerm = (mine: Presence): void => {
    if (presence !== mine || term !== undefined) return;
    const started: Term = openTerm();
    term = started;
    following = undefined;
    heardLeader();
    post({ type: "leading", term: started.name });
    loseLive();
    for (const ticket of [...tickets.values()]) if (term === started && ticket.leave === undefined) joinOwn(ticket);
    stopIfIdle();
  };
  const openTerm = (): Term => {
    const termName = randomName();
    const own = openOwn();
    const guests = createGuests({ stream: own, term: termName, locks, lockOf, post, onEmpty: stopIfIdle });
    return { name: termName, own, guests };
  };
  const endTerm = (): void => {
    if (term === undefined) return;
    const { name: ended, own, guests } = term;
    term = undefined;
    own.close();
    guests.close();
    for (const ticket of tickets.values()) ticket.leave = undefined;
    post({ type: "gone", term: ended });
    release?.();
    release = undefined;
  };

  /** Another tab thought that we do not answer, and has the lead now. */
  const deposed = (): void => {
    endTerm();
    loseLive();
    if (presence === undefined) return;
    standInLine(presence);
    askAll();
  };

  const loseLive = (): void => {
    const error = new WiceError("unavailable", "the tab that had the stream of the relay is gone", { retryable: true });
    for (const ticket of [...tickets.values()]) if (ticket.live) endTicket(ticket, error);
  };
  const endTicket = (ticket: Ticket, error: WiceError): void => {
    if (!tickets.delete(ticket.number)) return;
    ticket.taker.onEnd(error);
    stopIfIdle();
  };
  const goLive = (ticket: Ticket): void => {
    if (ticket.live) return;
    ticket.live = true;
    ticket.taker.onLive();
  };

  const joinOwn = (ticket: Ticket): void => {
    ticket.leave = term?.own.join(ticket.key, {
      onLive: () => goLive(ticket),
      onEnvelope: (envelope) => ticket.taker.onEnvelope(envelope),
      onEnd: (error) => endTicket(ticket, error),
    });
  };

  const ask = (request: Request): void => {
    post(request);
    schedule("deadline", answerMs, onSilence);
  };
  const joinOf = ({ tab }: Presence, { number, key }: Ticket): Request => ({
    type: "join",
    tab,
    ticket: number,
    key: key.toString(),
  });
  const askAll = (): void => {
    if (presence?.announced !== true) return;
    for (const ticket of tickets.values()) ask(joinOf(presence, ticket));
  };
  const askForLeader = (): void => {
    if (term === undefined && presence?.announced === true) ask({ type: "ping", tab: presence.tab });
  };
  const schedulePing = (): void =>
    schedule("ping", pingMs, () => {
      askForLeader();
      schedulePing();
    });
  const onSilence = (): void => {
    if (term !== undefined || presence === undefined) return;
    unanswered += 1;
    if (unanswered < patience) {
      askForLeader();
      askAll();
      return;
    }
    unanswered = 0;
    void holdLead(presence, { steal: true });
  };
  const heardLeader = (): void => {
    unanswered = 0;
    cancel("deadline");
  };

  const onMessage = (mine: Presence, message: TabMessage): void => {
    if (presence !== mine || typeof message !== "object" || message === null) return;
    if ("tab" in message) term?.guests.serve(message);
    else if (term !== undefined) return;
    else if ("to" in message) onAnswer(mine, message);
    else onNotice(message);
  };

  const onNotice = (notice: Notice): void => {
    if (notice.type === "leading") following = notice.term;
    else if (notice.term === following) following = undefined;
    else return;
    heardLeader();
    loseLive();
    askAll();
  };

  const onAnswer = (mine: Presence, answer: Answer): void => {
    if (answer.to !== mine.tab) return;
    following ??= answer.term;
    if (answer.term !== following) return;
    heardLeader();
    const ticket = answer.type === "here" ? undefined : tickets.get(answer.ticket);
    if (ticket === undefined) return;
    if (answer.type === "live") goLive(ticket);
    else if (answer.type === "end") endTicket(ticket, fromPlainError(answer.error));
    else if (answer.type === "envelope" && ticket.live) ticket.taker.onEnvelope(decodeEnvelope(answer.bytes));
  };

  return {
    join(key, taker) {
      const mine = start();
      lastNumber += 1;
      const ticket: Ticket = { number: lastNumber, key, taker, live: false, leave: undefined };
      tickets.set(ticket.number, ticket);
      if (term !== undefined) joinOwn(ticket);
      else if (mine.announced) ask(joinOf(mine, ticket));
      return () => {
        if (!tickets.delete(ticket.number)) return;
        if (ticket.leave !== undefined) ticket.leave();
        else if (presence !== undefined) post({ type: "leave", tab: presence.tab, ticket: ticket.number });
        stopIfIdle();
      };
    },
    renew() {
      if (term === undefined) askForLeader();
      else term.own.renew();
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

function randomName(): string {
  return Array.from(randomBytes(8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
