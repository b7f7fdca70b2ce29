/** A signaling network that does everything wrong, and keeps every envelope to send it again, to anybody, at any time. */

import { type Clock, createInProcessNetwork, type Envelope, type EnvelopeTransport } from "@wice/core";
import { createFaultyTransport, type Faults, type FaultyTransport, type SeededRandom } from "@wice/core/testing";

export interface Wire {
  /** The transport of one process. */
  connect(speaker?: string): ProcessTransport;
  /** Replaces all faults; `{}` heals the network. */
  inject(faults: Faults): void;
  /** Loses all subscriptions. */
  cut(): void;
  /** Envelopes that processes have published. */
  readonly envelopes: number;
  /** All that processes have published, in order. */
  readonly published: readonly Published[];
  /** How many different ones may be sent again. */
  readonly recorded: number;
  /** Sends one of them again, as it was. */
  replay(index: number): void;
  /** Sends it back to its sender, as if the recipient had sent it. */
  reflect(index: number): void;
  /** Sends something else in its place. */
  forge(index: number): void;
}

export interface Published {
  readonly envelope: Envelope;
  readonly atMs: number;
  readonly speaker: string;
}

export interface ProcessTransport extends EnvelopeTransport {
  /** The process is gone: nothing of it leaves any more, and nothing arrives. */
  kill(): void;
}

export function createWire(clock: Clock, random: SeededRandom): Wire {
  const network = createInProcessNetwork();
  const attacker = network.connect();
  const recordings: Envelope[] = [];
  const published: Published[] = [];
  const transports = new Set<FaultyTransport>();
  let faults: Faults = {};
  let envelopes = 0;

  const inject = (index: number, change: (envelope: Envelope) => Envelope): void => {
    const envelope = recordings[index % recordings.length];
    if (envelope !== undefined) void attacker.publish(change(envelope));
  };

  return {
    connect(speaker = "") {
      const inner = createFaultyTransport(network.connect(), { faults, random, clock });
      transports.add(inner);
      let alive = true;
      return {
        async publish(envelope, options) {
          if (!alive) return new Promise(() => {});
          envelopes += 1;
          recordings.push(envelope);
          published.push({ envelope, atMs: clock.now(), speaker });
          return inner.publish(envelope, options);
        },
        subscribe: (recipient, options) => (alive ? inner.subscribe(recipient, options) : new Promise<never>(() => {})),
        close() {
          transports.delete(inner);
          return inner.close();
        },
        kill() {
          alive = false;
          transports.delete(inner);
          void inner.close();
        },
      };
    },
    inject(next) {
      faults = next;
      for (const transport of transports) transport.inject(next);
    },
    cut() {
      for (const transport of transports) transport.cut();
    },
    get envelopes() {
      return envelopes;
    },
    published,
    get recorded() {
      return recordings.length;
    },
    replay: (index) => inject(index, (envelope) => envelope),
    reflect: (index) =>
      inject(index, (envelope) => ({ ...envelope, sender: envelope.recipient, recipient: envelope.sender })),
    forge: (index) => inject(index, (envelope) => ({ ...envelope, body: random.bytes(envelope.body.length) })),
  };
}
