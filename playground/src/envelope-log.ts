/** The envelopes that have passed, and what became of each. */

import { type Envelope, encodeEnvelope, isWiceError, type PrivateKey, type PublicKey } from "@wice/core";
import { type OpenedMessage, openMessage } from "./opened-message.ts";
import { hex } from "./text.ts";
import type { TransportObserver } from "./weather.ts";

export interface LoggedEnvelope {
  /** Its nonce. */
  readonly id: string;
  readonly envelope: Envelope;
  /** On the wire. */
  readonly bytes: number;
  readonly firstSeen: Date;
  /** How often this page handed it to the relay; 0 for one that another page or agent sent. */
  tries: number;
  fate: Fate;
  /** How often it came: more than once, when the relay repeats it. */
  arrivals: number;
  /** From the first try to the first arrival. */
  tookMs: number | undefined;
  /** Undefined until it is opened; `"unopened"` for one that does not open, or that is of somebody else. */
  opened: OpenedMessage | "unopened" | undefined;
}

/** `replaced`: what is newer goes in its stead. */
export type Fate = "sending" | "taken" | "dropped" | "nobody" | "replaced" | "failed" | "arrived";

export interface EnvelopeLogListener {
  added(entry: LoggedEnvelope): void;
  changed(entry: LoggedEnvelope): void;
  /** There are too many: the oldest is not shown any more. */
  forgotten(entry: LoggedEnvelope): void;
}

const maxEntries = 200;

/** `keyHere` gives the private key of a peer that lives in this page. */
export function createEnvelopeLog(
  keyHere: (key: PublicKey) => PrivateKey | undefined,
  listener: EnvelopeLogListener,
): TransportObserver {
  const entries = new Map<string, LoggedEnvelope & { readonly startMs: number }>();

  const entryOf = (envelope: Envelope): LoggedEnvelope & { readonly startMs: number } => {
    const id = hex(envelope.nonce);
    const known = entries.get(id);
    if (known !== undefined) return known;
    const entry = {
      ...{ id, envelope, bytes: encodeEnvelope(envelope).length, firstSeen: new Date(), startMs: performance.now() },
      ...{ tries: 0, fate: "sending" as Fate, arrivals: 0, tookMs: undefined, opened: undefined },
    };
    entries.set(id, entry);
    listener.added(entry);
    void openEntry(entry);
    const [oldest] = entries.values();
    if (entries.size > maxEntries && oldest !== undefined) {
      entries.delete(oldest.id);
      listener.forgotten(oldest);
    }
    return entry;
  };

  /** The key of a box belongs to both ends: who sealed it can open it as well. */
  const openEntry = async (entry: LoggedEnvelope): Promise<void> => {
    const { sender, recipient } = entry.envelope;
    const key = keyHere(recipient);
    const senderKey = keyHere(sender);
    if (key !== undefined) entry.opened = await openMessage(key, entry.envelope);
    else if (senderKey !== undefined)
      entry.opened = await openMessage(senderKey, { ...entry.envelope, sender: recipient, recipient: sender });
    entry.opened ??= "unopened";
    listener.changed(entry);
  };

  /** What the relay said of it is older news than its arrival, or than what the weather did to it. */
  const settle = (entry: LoggedEnvelope, fate: Fate): void => {
    if (entry.fate !== "arrived" && !(entry.fate === "dropped" && fate === "taken")) entry.fate = fate;
    listener.changed(entry);
  };

  return {
    sending(envelope, sent) {
      const entry = entryOf(envelope);
      entry.tries += 1;
      settle(entry, "sending");
      sent.then(
        ({ subscribers }) => settle(entry, subscribers === 0 ? "nobody" : "taken"),
        (error: unknown) => settle(entry, isWiceError(error, "closed") ? "replaced" : "failed"),
      );
    },
    dropped: (envelope) => settle(entryOf(envelope), "dropped"),
    arrived(envelope) {
      const entry = entryOf(envelope);
      entry.arrivals += 1;
      if (entry.tries > 0) entry.tookMs ??= performance.now() - entry.startMs;
      settle(entry, "arrived");
    },
  };
}
