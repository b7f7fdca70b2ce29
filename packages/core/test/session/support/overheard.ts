/** A signaling network that a test reads along: it has the keys of both sides, and decides what arrives. */

import {
  createInProcessNetwork,
  decodeMessage,
  type Envelope,
  type EnvelopeTransport,
  type InProcessNetwork,
  type Instance,
  open,
  type PrivateKey,
  type PublicKey,
  WiceError,
} from "@wice/core";
import { createFaultyTransport, type FaultyTransport } from "@wice/core/testing";
import { toHex } from "../../../src/bytes.ts";
import { type Description, readDescription } from "../../../src/session/description.ts";

/** A description that somebody has published. */
export interface Said {
  readonly atMs: number;
  readonly from: PublicKey;
  readonly instance: Instance;
  readonly description: Description;
  readonly envelope: Envelope;
}

export interface Overheard {
  readonly network: InProcessNetwork;
  /** The descriptions that were published, in order. */
  readonly said: readonly Said[];
  /** All envelopes, those without a description included. */
  readonly envelopes: readonly Envelope[];
  /** Which descriptions arrive; all do by default. */
  passes: (said: Said) => boolean;
  /** Nothing can be published while it is down, and nobody can subscribe. */
  down: boolean;
  /** Loses all subscriptions. */
  cut(): void;
  connect(): EnvelopeTransport & { kill(): void };
  /** Sends an envelope again, as anybody can who has seen it. */
  replay(envelope: Envelope): Promise<void>;
}

export function createOverheard(keys: readonly PrivateKey[], now: () => number): Overheard {
  const network = createInProcessNetwork();
  const attacker = network.connect();
  const transports = new Set<FaultyTransport>();
  const said: Said[] = [];
  const envelopes: Envelope[] = [];

  const read = async (envelope: Envelope): Promise<Said | undefined> => {
    const recipient = keys.find(({ publicKey }) => publicKey.equals(envelope.recipient));
    if (recipient === undefined) return undefined;
    const { session, header } = decodeMessage(await open(recipient, envelope));
    const description = session === undefined ? undefined : readDescription(session);
    if (description === undefined) return undefined;
    const instance = toHex(header?.instance ?? new Uint8Array());
    return { atMs: now(), from: envelope.sender, instance, description, envelope };
  };

  const checkUp = (): void => {
    if (overheard.down) throw new WiceError("unavailable", "the relay is gone", { retryable: true });
  };
  const overheard: Overheard = {
    network,
    said,
    envelopes,
    passes: () => true,
    down: false,
    cut() {
      for (const transport of transports) transport.cut();
    },
    connect() {
      const inner = createFaultyTransport(network.connect());
      transports.add(inner);
      let alive = true;
      return {
        async publish(envelope, options) {
          if (!alive) return new Promise(() => {});
          checkUp();
          envelopes.push(envelope);
          const what = await read(envelope);
          if (what !== undefined) said.push(what);
          return what === undefined || overheard.passes(what) ? inner.publish(envelope, options) : { subscribers: 1 };
        },
        async subscribe(recipient, options) {
          if (!alive) return new Promise<never>(() => {});
          checkUp();
          return inner.subscribe(recipient, options);
        },
        close: () => inner.close(),
        kill() {
          alive = false;
          void inner.close();
        },
      };
    },
    async replay(envelope) {
      await attacker.publish(envelope);
    },
  };
  return overheard;
}
