/** One of our keys: what is sent from it, what arrives for it, and who gets that. */

import { disposable } from "../async/disposable.ts";
import { createQueue, type Queue } from "../async/queue.ts";
import { abortable, onAbort, sleep } from "../async/signal.ts";
import type { TokenBucket } from "../async/token-bucket.ts";
import { openWith, sealWith } from "../box.ts";
import { concatBytes, toHex } from "../bytes.ts";
import type { Envelope } from "../envelope.ts";
import { isWiceError, WiceError } from "../errors.ts";
import { decodeMessage, encodeMessage, hasContent, type Message } from "../message.ts";
import type { PrivateKey } from "../private-key.ts";
import { PublicKey } from "../public-key.ts";
import type { TransportReceipt } from "../transport/transport.ts";
import type {
  DropReason,
  Instance,
  PublishReceipt,
  ReceivedMessage,
  SubscribeOptions,
  Subscription,
} from "./backend.ts";
import { type HeaderFields, readHeader, writeHeader } from "./header.ts";
import { createLink, type LinkDependencies } from "./link.ts";
import { createOutbox, type DeliverOptions, type Outbox, undelivered } from "./outbox.ts";
import { createReceipts, type Receipts } from "./receipts.ts";
import { createRemotes, type Remote, type RemotesLimits } from "./remote.ts";

/**
 * Around the content of a message, at most: the header (52), the tag (16), the nonce (26), the two keys (68), and protobuf's
 * tags and lengths (10).
 */
const overheadBytes = 172;

/** How long receipts under way may take when the backend closes. */
const receiptGraceMs = 1000;

export interface MailboxDependencies extends Omit<LinkDependencies, "onEnvelope" | "onRefused">, RemotesLimits {
  readonly instance: Instance;
  readonly strangerBudget: TokenBucket;
  readonly maxEnvelopeBytes: number;
  onDrop(reason: DropReason): void;
}

export interface Mailbox {
  /** Seals a message, to be published as often as it takes. `content` is an encoded message without header. */
  seal(theirs: PublicKey, content: Uint8Array, options: SealOptions): Promise<Envelope>;
  deliver(theirs: PublicKey, content: Uint8Array, options: DeliverOptions): Promise<PublishReceipt>;
  subscribe(theirs: PublicKey, options: SubscribeOptions): Promise<Subscription>;
  /** Ends subscriptions at once; waits a moment for receipts under way. */
  close(): Promise<void>;
}

export interface SealOptions {
  readonly signal: AbortSignal | undefined;
  readonly recipientInstance: Instance | undefined;
}

interface Subscriber {
  readonly queue: Queue<ReceivedMessage>;
  readonly group: boolean;
}

export function createMailbox(ours: PrivateKey, dependencies: MailboxDependencies): Mailbox {
  const { clock, random, retry, transport, instance, onDrop, onStatus } = dependencies;
  const remotes = createRemotes(ours, dependencies.strangerBudget, dependencies);
  const exchanges = new WeakMap<Remote, { readonly outbox: Outbox; readonly receipts: Receipts }>();
  /** Those with deliveries that are pending. */
  const delivering = new Set<Outbox>();
  /** End each pending delivery: no receipt can come. */
  const refusals = new Set<(error: WiceError) => void>();
  /** Receipts under way. */
  const acknowledging = new Set<Promise<void>>();
  /** By the sender they want, as text. */
  const subscribers = new Map<string, Set<Subscriber>>();
  const anybody = PublicKey.any.toString();

  const checkSize = (content: Uint8Array): void => {
    const most = dependencies.maxEnvelopeBytes - overheadBytes;
    if (content.length > most) {
      throw new WiceError("too-large", `the message has ${content.length} bytes, of at most ${most}`);
    }
  };

  const sealFor = async (remote: Remote, content: Uint8Array, fields: HeaderFields): Promise<Envelope> => {
    const key = await remote.boxKey();
    // Fields of a protobuf message may come in any order: the header is simply appended.
    const plaintext = concatBytes(content, encodeMessage({ header: writeHeader(remote.role, instance, fields) }));
    remote.knowsInstance = true;
    return { sender: ours.publicKey, recipient: remote.key, ...sealWith(key, plaintext, random) };
  };

  const sealPlain = (remote: Remote, content: Uint8Array, to: Instance | undefined): Promise<Envelope> => {
    remote.lastSequence.plain += 1;
    const sequence = remote.lastSequence.plain;
    return sealFor(remote, content, { recipientInstance: to, sequence, acknowledge: false });
  };

  const exchange = (remote: Remote): { readonly outbox: Outbox; readonly receipts: Receipts } => {
    const found = exchanges.get(remote);
    if (found !== undefined) return found;
    const outbox = createOutbox({
      ...{ clock, random, retry },
      deafness: () => link.loss,
      nextSequence() {
        remote.lastSequence.acknowledged += 1;
        return remote.lastSequence.acknowledged;
      },
      async send(content, to, signal): Promise<TransportReceipt> {
        return transport.publish(await sealFor(remote, content, { ...to, acknowledge: true }), { signal });
      },
    });
    const receipts = createReceipts(async (receipt, to) =>
      transport.publish(await sealPlain(remote, encodeMessage({ receipt }), to), { signal: closing.signal }),
    );
    const made = { outbox, receipts };
    exchanges.set(remote, made);
    return made;
  };

  const acknowledge = (remote: Remote, from: Instance, sequence: number): void => {
    const sent = exchange(remote).receipts.add(from, sequence);
    acknowledging.add(sent);
    void sent.finally(() => acknowledging.delete(sent));
  };

  /** Everyone who wants messages of this sender. */
  const audience = (sender: PublicKey): Subscriber[] => [
    ...(subscribers.get(sender.toString()) ?? []),
    ...(subscribers.get(anybody) ?? []),
  ];

  /** False when nobody had room: the message was not taken. */
  const offer = (audience: readonly Subscriber[], received: ReceivedMessage): boolean => {
    let taken = false;
    for (const { queue } of audience) if (queue.push(received)) taken = true;
    return taken;
  };

  const receive = async (envelope: Envelope): Promise<DropReason | undefined> => {
    const { sender, recipient, nonce } = envelope;
    if (!recipient.equals(ours.publicKey)) return "wrong-recipient";
    if (sender.equals(ours.publicKey)) return "reflected";
    const listeners = audience(sender);
    const acquainted = remotes.find(sender);
    const outbox = acquainted === undefined ? undefined : exchanges.get(acquainted)?.outbox;
    if (listeners.length === 0 && outbox?.busy !== true) return "unwanted";
    const remote = acquainted ?? remotes.stranger(sender);
    if (remote === undefined) return "throttled";

    const plaintext = openWith(await remote.boxKey(), envelope);
    if (plaintext === undefined) return "forged";
    let message: Message;
    try {
      message = decodeMessage(plaintext);
    } catch {
      return "malformed";
    }
    remotes.adopt(remote);
    if (message.header === undefined) return receiveHeaderless(remote, message, nonce, listeners);
    return receiveWithHeader(remote, message, message.header, listeners);
  };

  const receiveHeaderless = (
    remote: Remote,
    message: Message,
    nonce: Uint8Array,
    listeners: readonly Subscriber[],
  ): DropReason | undefined => {
    const name = toHex(nonce);
    if (remote.nonces.get(name) === true) return "duplicate";
    const downgraded = remote.hasSentHeaders;
    remote.hasSentNoHeader = true;
    if (!offer(listeners, { sender: remote.key, message, instance: undefined, fresh: false, downgraded })) {
      return listeners.length === 0 ? "unwanted" : "queue-full";
    }
    remote.nonces.set(name, true);
    return undefined;
  };

  const receiveWithHeader = (
    remote: Remote,
    message: Message,
    header: NonNullable<Message["header"]>,
    listeners: readonly Subscriber[],
  ): DropReason | undefined => {
    const read = readHeader(header, remote.role, instance);
    if (typeof read === "string") return read;
    const namesUs = read.fresh;
    // Once it has named us, recordings of it name us too: that must outlive what we remember of it.
    if (namesUs) remote.knowsInstance = true;
    const position = { ...read, fresh: namesUs && remote.mayBeFresh && remote.guard.recognises(read) };
    const { instance: from, sequence, fresh } = position;
    const look = remote.guard.look(position);
    if (look === "stale") return "stale";
    const mayAcknowledge = position.acknowledge && listeners.length > 0 && !listeners.some(({ group }) => group);
    if (look === "seen") {
      if (mayAcknowledge) acknowledge(remote, from, sequence);
      return "duplicate";
    }
    remote.hasSentHeaders = true;
    if (hasContent(message)) {
      if (!offer(listeners, { sender: remote.key, message, instance: from, fresh, downgraded: false })) {
        return listeners.length === 0 ? "unwanted" : "queue-full";
      }
    }
    remote.guard.mark(position);
    if (mayAcknowledge) acknowledge(remote, from, sequence);
    // Also of a peer whose state was lost: sequence numbers of ours are never used twice, so an old receipt means nothing.
    if (namesUs) {
      const { outbox } = exchange(remote);
      outbox.heard(from);
      const { receipt } = message;
      if (receipt !== undefined && toHex(receipt.instance) === instance) {
        outbox.acknowledged(from, receipt.sequences.map(Number));
      }
    }
    return undefined;
  };

  const closing = new AbortController();
  const link = createLink(ours.publicKey, {
    ...dependencies,
    async onEnvelope(envelope) {
      let reason: DropReason | undefined;
      try {
        reason = await receive(envelope);
      } catch {
        // The key agreement failed, or a stranger found a way to make us throw. Neither ends the subscription.
        reason = "malformed";
      }
      if (reason !== undefined) onDrop(reason);
    },
    onStatus(status) {
      if (status.type === "subscribed") for (const outbox of delivering) outbox.hurry();
      onStatus(status);
    },
    onRefused: (error) => fail(error),
  });

  /** Nothing will be received any more. */
  const fail = (error: WiceError): void => {
    for (const refuse of [...refusals]) refuse(error);
    for (const set of [...subscribers.values()]) for (const { queue } of [...set]) queue.fail(error);
  };

  const need = (remote: Remote | undefined): (() => void) => {
    const release = link.acquire();
    if (remote !== undefined) remote.pins += 1;
    return () => {
      if (remote !== undefined) remote.pins -= 1;
      release();
    };
  };

  return {
    async seal(theirs, content, { signal, recipientInstance }) {
      checkSize(content);
      const remote = remotes.known(theirs);
      // Forgotten meanwhile, it would be numbered by two.
      remote.pins += 1;
      try {
        await abortable(remote.boxKey(), signal);
        return await sealPlain(remote, content, recipientInstance);
      } finally {
        remote.pins -= 1;
      }
    },

    async deliver(theirs, content, options) {
      checkSize(content);
      const remote = remotes.known(theirs);
      const release = need(remote);
      try {
        try {
          await abortable(remote.boxKey(), options.signal);
          await link.live(options.signal);
        } catch (cause) {
          throw undelivered(false, cause, link.loss);
        }
        const { outbox } = exchange(remote);
        const scope = new AbortController();
        const refuse = (error: WiceError): void => scope.abort(error);
        const forget = onAbort(options.signal, () => scope.abort(options.signal.reason));
        delivering.add(outbox);
        refusals.add(refuse);
        try {
          return await outbox.deliver(content, { ...options, signal: scope.signal });
        } catch (error) {
          // Only now: one old recording without header must not keep us from a peer that speaks our dialect by now.
          if (!isWiceError(error, "not-delivered") || remote.hasSentHeaders || !remote.hasSentNoHeader) throw error;
          const text = "the peer sends no receipts (it is not wice); publish without delivered";
          throw new WiceError("unsupported", text, { cause: error });
        } finally {
          forget();
          refusals.delete(refuse);
          if (!outbox.busy) delivering.delete(outbox);
        }
      } finally {
        release();
      }
    },

    async subscribe(theirs, { signal, maxQueuedMessages = 1024, group = false }) {
      const wanted = theirs.toString();
      const release = need(wanted === anybody ? undefined : remotes.known(theirs));
      let forget = (): void => {};
      const leave = (): void => {
        const set = subscribers.get(wanted);
        set?.delete(subscriber);
        if (set?.size === 0) subscribers.delete(wanted);
        forget();
        release();
      };
      const subscriber: Subscriber = { group, queue: createQueue(maxQueuedMessages, leave) };
      subscribers.set(wanted, (subscribers.get(wanted) ?? new Set()).add(subscriber));
      const { queue } = subscriber;
      const iterator = queue[Symbol.asyncIterator]();
      forget = onAbort(signal, () => queue.fail(signal?.reason));
      try {
        await link.live(signal);
      } catch (error) {
        await iterator.return?.();
        signal?.throwIfAborted();
        throw error;
      }
      return disposable({
        [Symbol.asyncIterator]: () => iterator,
        async close() {
          await iterator.return?.();
        },
      });
    },

    async close() {
      for (const set of [...subscribers.values()]) for (const { queue } of [...set]) queue.end();
      link.close();
      // Whoever took its last message and leaves owes the sender the word that it was taken.
      if (acknowledging.size > 0) {
        const patience = new AbortController();
        const sent = Promise.all(acknowledging).then(() => patience.abort());
        await Promise.race([sent, sleep(clock, receiptGraceMs, patience.signal).catch(() => {})]);
      }
      closing.abort(new WiceError("closed", "the backend is closed"));
    },
  };
}
