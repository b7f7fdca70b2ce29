/** A leader's side of a shared stream: what it has subscribed for other tabs. */

import { encodeEnvelope, PublicKey } from "@wice/core";
import type { KeyStream } from "./key-stream.ts";
import { type Answer, type Request, toPlainError } from "./tab-messages.ts";

export interface Guests {
  /** Tabs that have something subscribed, or had it a moment ago. */
  readonly size: number;
  serve(request: Request): void;
  /** Stops waiting for their ends. What they subscribed ends with the stream. */
  close(): void;
}

export interface GuestsOptions {
  readonly stream: KeyStream;
  /** Names this leader in its answers. */
  readonly term: string;
  readonly locks: LockManager;
  /** The lock that a tab holds for as long as it is there. */
  lockOf(tab: string): string;
  post(answer: Answer): void;
  /** The last one has gone. */
  onEmpty(): void;
}

interface Guest {
  readonly tickets: Map<number, { live: boolean; leave(): void }>;
  readonly forget: AbortController;
}

export function createGuests({ stream, term, locks, lockOf, post, onEmpty }: GuestsOptions): Guests {
  const guests = new Map<string, Guest>();

  const welcome = (tab: string): Guest => {
    const guest: Guest = { tickets: new Map(), forget: new AbortController() };
    guests.set(tab, guest);
    const gone = (): void => {
      if (guests.get(tab) !== guest) return;
      guests.delete(tab);
      for (const { leave } of guest.tickets.values()) leave();
      if (guests.size === 0) onEmpty();
    };
    // Granted when the tab no longer holds it: it has closed, or has nothing subscribed.
    locks.request(lockOf(tab), { signal: guest.forget.signal }, gone).catch(() => {});
    return guest;
  };

  const join = (tab: string, number: number, key: string): void => {
    const { tickets } = guests.get(tab) ?? welcome(tab);
    const known = tickets.get(number);
    if (known !== undefined) {
      // It asked again because it did not hear us.
      if (known.live) post({ type: "live", term, to: tab, ticket: number });
      return;
    }
    const leave = stream.join(PublicKey.parse(key), {
      onLive() {
        ticket.live = true;
        post({ type: "live", term, to: tab, ticket: number });
      },
      onEnvelope: (envelope) =>
        post({ type: "envelope", term, to: tab, ticket: number, bytes: encodeEnvelope(envelope) }),
      onEnd(error) {
        tickets.delete(number);
        post({ type: "end", term, to: tab, ticket: number, error: toPlainError(error) });
      },
    });
    const ticket = { live: false, leave };
    tickets.set(number, ticket);
  };

  return {
    get size() {
      return guests.size;
    },
    serve(request) {
      const { type, tab } = request;
      if (type === "leave") {
        const tickets = guests.get(tab)?.tickets;
        tickets?.get(request.ticket)?.leave();
        tickets?.delete(request.ticket);
        return;
      }
      post({ type: "here", term, to: tab });
      if (type === "join") join(tab, request.ticket, request.key);
    },
    close() {
      for (const { forget } of guests.values()) forget.abort();
      guests.clear();
    },
  };
}
