/** What every `EnvelopeTransport` keeps. */

import { randomBytes } from "../bytes.ts";
import type { Envelope } from "../envelope.ts";
import { isWiceError } from "../errors.ts";
import { generatePrivateKey } from "../import-private-key.ts";
import type { PublicKey } from "../public-key.ts";
import type { EnvelopeSubscription, EnvelopeTransport } from "../transport/transport.ts";
import { type ComplianceCase, type ComplianceSubject, makeCases } from "./compliance.ts";
import { ensure, rejection, rejectsWith, within } from "./expect.ts";

export interface TransportFixture {
  /** A new transport; all of one fixture reach each other. */
  connect(): EnvelopeTransport;
}

/**
 * The suite for transports.
 *
 * ```ts
 * for (const { name, run } of transportCompliance({ setup, teardown })) test(name, run);
 * ```
 */
export function transportCompliance(subject: ComplianceSubject<TransportFixture>): readonly ComplianceCase[] {
  const patienceMs = subject.patienceMs ?? 5000;
  const soon = <T>(what: string, promise: Promise<T>): Promise<T> => within(patienceMs, what, promise);
  const take = async (subscription: EnvelopeSubscription, count: number): Promise<Envelope[]> => {
    const taken: Envelope[] = [];
    const iterator = subscription[Symbol.asyncIterator]();
    while (taken.length < count) {
      const { done, value } = await soon(`envelope ${taken.length + 1} of ${count}`, iterator.next());
      ensure(done !== true, "a live subscription goes on");
      taken.push(value);
    }
    return taken;
  };
  const next = async (subscription: EnvelopeSubscription): Promise<Envelope> =>
    (await take(subscription, 1))[0] as Envelope;

  return makeCases(subject, {
    "an envelope arrives unaltered": async ({ connect }) => {
      const [alice, bob] = [connect(), connect()];
      const recipient = newKey();
      for (const bodyBytes of [16, 17, 1000, 60_000]) {
        const subscription = await soon("subscribe", bob.subscribe(recipient));
        const envelope = newEnvelope(recipient, bodyBytes);
        await soon("publish", alice.publish(envelope));
        ensure(same(await next(subscription), envelope), `${bodyBytes} bytes of body arrive as they were`);
        await subscription.close();
      }
    },

    "all pairs of several peers exchange envelopes": async ({ connect }) => {
      const peers = Array.from({ length: 5 }, () => ({ key: newKey(), transport: connect() }));
      const subscriptions = await Promise.all(peers.map(({ key, transport }) => transport.subscribe(key)));
      for (const { key: sender, transport } of peers) {
        const others = peers.filter(({ key }) => key !== sender);
        await Promise.all(others.map(({ key }) => transport.publish({ ...newEnvelope(key, 100), sender })));
      }
      for (const [index, subscription] of subscriptions.entries()) {
        const senders = (await take(subscription, peers.length - 1)).map(({ sender }) => sender.toString());
        const expected = peers.filter((_, other) => other !== index).map(({ key }) => key.toString());
        ensure(senders.sort().join() === expected.sort().join(), "one envelope from each other peer arrives");
      }
    },

    "every subscriber of a key gets every envelope": async ({ connect }) => {
      const recipient = newKey();
      const transports = [connect(), connect(), connect()];
      const subscriptions = await Promise.all(
        [...transports, ...transports].map((transport) => transport.subscribe(recipient)),
      );
      const receipt = await connect().publish(newEnvelope(recipient, 50));
      const { subscribers = 6 } = receipt;
      ensure(subscribers >= 1 && subscribers <= 6, "the receipt counts subscribers, some of which may share a stream");
      for (const subscription of subscriptions) await next(subscription);
    },

    "nobody gets envelopes for another key": async ({ connect }) => {
      const [mine, other] = [newKey(), newKey()];
      const transport = connect();
      const subscription = await transport.subscribe(mine);
      await transport.publish(newEnvelope(other, 50));
      const expected = newEnvelope(mine, 50);
      await transport.publish(expected);
      ensure(same(await next(subscription), expected), "the first envelope is the one for the key");
    },

    "nothing is kept for absent recipients": async ({ connect }) => {
      const recipient = newKey();
      const transport = connect();
      const receipt = await soon("publish to nobody", transport.publish(newEnvelope(recipient, 50)));
      ensure((receipt.subscribers ?? 0) === 0, "the receipt does not count subscribers that are not there");
      const subscription = await transport.subscribe(recipient);
      const expected = newEnvelope(recipient, 50);
      await transport.publish(expected);
      ensure(same(await next(subscription), expected), "an envelope from before is not delivered");
    },

    "many envelopes arrive, each once": async ({ connect }) => {
      const recipient = newKey();
      const [alice, bob] = [connect(), connect()];
      const subscription = await bob.subscribe(recipient);
      const count = 300;
      const received = take(subscription, count);
      for (let i = 0; i < count; i += 30) {
        await Promise.all(Array.from({ length: 30 }, () => alice.publish(newEnvelope(recipient, 200))));
      }
      const distinct = new Set((await received).map(({ nonce }) => nonce.join()));
      ensure(distinct.size === count, "all are there, none twice");
    },

    "closing a subscription ends its iteration, and only that": async ({ connect }) => {
      const recipient = newKey();
      const transport = connect();
      const [first, second] = await Promise.all([transport.subscribe(recipient), transport.subscribe(recipient)]);
      const waiting = first[Symbol.asyncIterator]().next();
      await soon("close", first.close());
      await soon("close again", first.close());
      ensure((await soon("the end of iteration", waiting)).done === true, "iteration ends without an error");
      await transport.publish(newEnvelope(recipient, 50));
      await next(second);
    },

    "leaving the loop unsubscribes": async ({ connect }) => {
      const recipient = newKey();
      const transport = connect();
      const subscription = await transport.subscribe(recipient);
      await transport.publish(newEnvelope(recipient, 50));
      const iterator = subscription[Symbol.asyncIterator]();
      await soon("the envelope", iterator.next());
      await soon("leaving", Promise.resolve(iterator.return?.()));
      const again = await soon("the next step", iterator.next());
      ensure(again.done === true, "iteration stays ended");
    },

    "an aborted signal rejects with its reason, before and during": async ({ connect }) => {
      const transport = connect();
      const recipient = newKey();
      const reason = new Error("enough");
      const aborted = new AbortController();
      aborted.abort(reason);
      const { signal } = aborted;
      const publish = await rejection("publish", transport.publish(newEnvelope(recipient, 50), { signal }));
      ensure(publish === reason, "publish rejects with the reason");
      const subscribe = await rejection("subscribe", transport.subscribe(recipient, { signal }));
      ensure(subscribe === reason, "subscribe rejects with the reason");

      const later = new AbortController();
      const subscription = await transport.subscribe(recipient, { signal: later.signal });
      const waiting = rejection("iteration", soon("the abort", subscription[Symbol.asyncIterator]().next()));
      later.abort(reason);
      ensure((await waiting) === reason, "iteration rejects with the reason");
    },

    "close ends subscriptions, and refuses later calls": async ({ connect }) => {
      const transport = connect();
      const recipient = newKey();
      const subscription = await transport.subscribe(recipient);
      const waiting = subscription[Symbol.asyncIterator]().next();
      await soon("close", transport.close());
      await soon("close again", transport.close());
      ensure((await soon("the end of iteration", waiting)).done === true, "iteration ends without an error");
      await rejectsWith("closed", "publish after close", transport.publish(newEnvelope(recipient, 50)));
      await rejectsWith("closed", "subscribe after close", transport.subscribe(recipient));
    },

    "a box that cannot be one is refused": async ({ connect }) => {
      const transport = connect();
      const envelope = newEnvelope(newKey(), 50);
      const short = { ...envelope, nonce: envelope.nonce.slice(1) };
      await rejectsWith("invalid-envelope", "a nonce of 23 bytes", transport.publish(short));
      const empty = { ...envelope, body: new Uint8Array(15) };
      await rejectsWith("invalid-envelope", "a body of 15 bytes", transport.publish(empty));
    },

    "what was published cannot be changed afterwards": async ({ connect }) => {
      const transport = connect();
      const recipient = newKey();
      const subscription = await transport.subscribe(recipient);
      const envelope = newEnvelope(recipient, 50);
      const before = { ...envelope, body: new Uint8Array(envelope.body) };
      await transport.publish(envelope);
      envelope.body.fill(0);
      ensure(same(await next(subscription), before), "the envelope is the one that was published");
    },

    "failures are typed": async ({ connect }) => {
      const transport = connect();
      await transport.close();
      const error = await rejection("publish after close", transport.publish(newEnvelope(newKey(), 50)));
      ensure(isWiceError(error), "the error is a WiceError");
    },
  });
}

function newKey(): PublicKey {
  return generatePrivateKey().publicKey;
}

function newEnvelope(recipient: PublicKey, bodyBytes: number): Envelope {
  return { sender: newKey(), recipient, body: randomBytes(bodyBytes), nonce: randomBytes(24) };
}

function same(a: Envelope, b: Envelope): boolean {
  return (
    a.sender.equals(b.sender) &&
    a.recipient.equals(b.recipient) &&
    a.body.join() === b.body.join() &&
    a.nonce.join() === b.nonce.join()
  );
}
