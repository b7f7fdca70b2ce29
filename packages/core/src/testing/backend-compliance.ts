/** What every `Backend` keeps, whatever carries its envelopes. */

import type { Backend, ReceivedMessage, Subscription } from "../backend/backend.ts";
import { generatePrivateKey } from "../import-private-key.ts";
import type { PrivateKey } from "../private-key.ts";
import { PublicKey } from "../public-key.ts";
import { type ComplianceCase, type ComplianceSubject, makeCases } from "./compliance.ts";
import { ensure, rejection, rejectsWith, within } from "./expect.ts";

export interface BackendFixture {
  /** A new backend; all of one fixture reach each other. */
  connect(): Backend;
}

export interface BackendComplianceSubject extends ComplianceSubject<BackendFixture> {
  /** The medium loses envelopes: only what is published `until: "delivered"` is expected to arrive. Default false. */
  readonly lossy?: boolean;
}

/**
 * The suite for backends.
 *
 * ```ts
 * for (const { name, run } of backendCompliance({ setup, teardown })) test(name, run);
 * ```
 */
export function backendCompliance(subject: BackendComplianceSubject): readonly ComplianceCase[] {
  const patienceMs = subject.patienceMs ?? 10_000;
  const until = subject.lossy === true ? "delivered" : "accepted";
  const soon = <T>(what: string, promise: Promise<T>): Promise<T> => within(patienceMs, what, promise);
  const take = async (subscription: Subscription, count: number): Promise<ReceivedMessage[]> => {
    const taken: ReceivedMessage[] = [];
    const iterator = subscription[Symbol.asyncIterator]();
    while (taken.length < count) {
      const { done, value } = await soon(`message ${taken.length + 1} of ${count}`, iterator.next());
      ensure(done !== true, "a live subscription goes on");
      taken.push(value);
    }
    return taken;
  };
  const next = async (subscription: Subscription): Promise<ReceivedMessage> =>
    (await take(subscription, 1))[0] as ReceivedMessage;
  const peer = (backend: Backend): Peer => ({ backend, key: generatePrivateKey() });

  const cases: Record<string, (fixture: BackendFixture) => Promise<void>> = {
    "a message arrives opened, from whom it says": async ({ connect }) => {
      const [alice, bob] = [peer(connect()), peer(connect())];
      const subscription = await soon("subscribe", listen(bob, alice.key.publicKey));
      await send(alice, bob, "hello", until);
      const { sender, message, instance } = await next(subscription);
      ensure(sender.equals(alice.key.publicKey), "the sender is the one who sealed it");
      ensure(text(message.payload) === "hello", "the payload is the one published");
      ensure(instance === alice.backend.instance, "the instance is the sender's");
    },

    "all pairs of several peers exchange messages": async ({ connect }) => {
      const peers = Array.from({ length: 4 }, () => peer(connect()));
      const subscriptions = await Promise.all(peers.map((each) => listen(each, PublicKey.any)));
      const all = peers.map(async (from) => {
        const others = peers.filter((to) => to !== from);
        await Promise.all(others.map((to) => send(from, to, `for ${to.key.publicKey}`, until)));
      });
      for (const [index, subscription] of subscriptions.entries()) {
        const received = await take(subscription, peers.length - 1);
        const senders = new Set(received.map(({ sender }) => sender.toString()));
        ensure(senders.size === peers.length - 1, "one message from each other peer arrives");
        const own = `for ${peers[index]?.key.publicKey}`;
        ensure(
          received.every(({ message }) => text(message.payload) === own),
          "and it is the one for this peer",
        );
      }
      await soon("the publishers", Promise.all(all));
    },

    "a subscription for one sender gets only that sender's messages": async ({ connect }) => {
      const [alice, bob, carol] = [peer(connect()), peer(connect()), peer(connect())];
      const subscription = await listen(carol, alice.key.publicKey);
      const publishing = bob.backend.publish(pair(bob, carol), { payload: bytes("no") }, { timeoutMs: 2000 });
      await publishing.catch(() => {});
      await send(alice, carol, "yes", until);
      ensure(text((await next(subscription)).message.payload) === "yes", "the other sender's message is not there");
    },

    "several subscriptions of one backend each get every message": async ({ connect }) => {
      const [alice, bob] = [peer(connect()), peer(connect())];
      const subscriptions = await Promise.all([
        listen(bob, alice.key.publicKey),
        listen(bob, alice.key.publicKey),
        listen(bob, PublicKey.any),
      ]);
      await send(alice, bob, "all", until);
      for (const subscription of subscriptions) {
        ensure(text((await next(subscription)).message.payload) === "all", "each gets the message");
      }
    },

    "delivered means taken by an instance that says its name": async ({ connect }) => {
      const [alice, bob] = [peer(connect()), peer(connect())];
      const subscription = await listen(bob, alice.key.publicKey);
      const receipt = await soon("delivery", send(alice, bob, "command", "delivered"));
      ensure(receipt.instance === bob.backend.instance, "the receipt names the recipient's instance");
      const { message, fresh } = await next(subscription);
      ensure(text(message.payload) === "command", "the message is there when the promise resolves");
      ensure(fresh, "it names the recipient's instance: it is no recording");
    },

    "many deliveries at once arrive, each once": async ({ connect }) => {
      const [alice, bob] = [peer(connect()), peer(connect())];
      const subscription = await listen(bob, alice.key.publicKey);
      const count = 60;
      const sent = Promise.all(Array.from({ length: count }, (_, i) => send(alice, bob, String(i), "delivered")));
      const received = await take(subscription, count);
      await soon("all receipts", sent);
      ensure(new Set(received.map(({ message }) => text(message.payload))).size === count, "all are there, none twice");
    },

    "delivery waits for a recipient that comes later": async ({ connect }) => {
      const [alice, bob] = [peer(connect()), peer(connect())];
      const delivery = send(alice, bob, "patience", "delivered");
      await new Promise<void>((resolve) => void setTimeout(resolve, 50));
      const subscription = await listen(bob, alice.key.publicKey);
      ensure(text((await next(subscription)).message.payload) === "patience", "the message arrives");
      await soon("delivery", delivery);
    },

    "delivery to nobody fails with a type": async ({ connect }) => {
      const [alice, bob] = [peer(connect()), peer(connect())];
      const options = { until: "delivered", timeoutMs: 300 } as const;
      await rejectsWith(
        "not-delivered",
        "delivery",
        alice.backend.publish(pair(alice, bob), { payload: bytes("x") }, options),
      );
    },

    "an application that does not read is not acknowledged for": async ({ connect }) => {
      const [alice, bob] = [peer(connect()), peer(connect())];
      const subscription = await bob.backend.subscribe(pair(bob, alice), { maxQueuedMessages: 1 });
      await soon("the first delivery", send(alice, bob, "first", "delivered"));
      const second = send(alice, bob, "second", "delivered");
      const early = await Promise.race([
        second,
        new Promise<"waits">((resolve) => void setTimeout(resolve, 150, "waits")),
      ]);
      ensure(early === "waits", "the second delivery waits for room");
      ensure(text((await next(subscription)).message.payload) === "first", "the first message is there");
      ensure(text((await next(subscription)).message.payload) === "second", "the second follows");
      await soon("the second delivery", second);
    },

    "closing a subscription ends its iteration, and only that": async ({ connect }) => {
      const [alice, bob] = [peer(connect()), peer(connect())];
      const [first, second] = [await listen(bob, PublicKey.any), await listen(bob, PublicKey.any)];
      const waiting = first[Symbol.asyncIterator]().next();
      await first.close();
      await first.close();
      ensure((await soon("the end of iteration", waiting)).done === true, "iteration ends without an error");
      await send(alice, bob, "still", until);
      await next(second);
    },

    "an aborted signal rejects with its reason, before and during": async ({ connect }) => {
      const [alice, bob] = [peer(connect()), peer(connect())];
      const reason = new Error("enough");
      const aborted = new AbortController();
      aborted.abort(reason);
      const { signal } = aborted;
      const message = { payload: bytes("x") };
      ensure(
        (await rejection("publish", alice.backend.publish(pair(alice, bob), message, { signal }))) === reason,
        "publish",
      );
      ensure(
        (await rejection("subscribe", bob.backend.subscribe(pair(bob, alice), { signal }))) === reason,
        "subscribe",
      );

      const later = new AbortController();
      const delivery = rejection(
        "delivery",
        alice.backend.publish(pair(alice, bob), message, { until: "delivered", signal: later.signal }),
      );
      const subscription = await bob.backend.subscribe(pair(bob, peer(bob.backend)), { signal: later.signal });
      const waiting = rejection("iteration", subscription[Symbol.asyncIterator]().next());
      later.abort(reason);
      ensure((await soon("the delivery's abort", delivery)) === reason, "a pending delivery rejects with the reason");
      ensure((await soon("the iteration's abort", waiting)) === reason, "iteration rejects with the reason");
    },

    "close ends everything": async ({ connect }) => {
      const [alice, bob] = [peer(connect()), peer(connect())];
      const subscription = await listen(alice, PublicKey.any);
      const waiting = subscription[Symbol.asyncIterator]().next();
      const delivery = rejectsWith("not-delivered", "a pending delivery", send(alice, bob, "x", "delivered"));
      await soon("close", alice.backend.close());
      await soon("close again", alice.backend.close());
      ensure((await soon("the end of iteration", waiting)).done === true, "iteration ends without an error");
      await soon("the pending delivery", delivery);
      await rejectsWith("closed", "publish after close", send(alice, bob, "x", "accepted"));
      await rejectsWith("closed", "subscribe after close", listen(alice, PublicKey.any));
    },

    "callers' mistakes are refused with a type": async ({ connect }) => {
      const [alice, bob] = [peer(connect()), peer(connect())];
      const { backend } = alice;
      const self = { ours: alice.key, theirs: alice.key.publicKey };
      await rejectsWith("equal-keys", "publishing to oneself", backend.publish(self, {}));
      await rejectsWith("equal-keys", "subscribing to oneself", backend.subscribe(self));
      const any = { ours: alice.key, theirs: PublicKey.any };
      await rejectsWith("invalid-argument", "publishing to anybody", backend.publish(any, {}));
      const large = { payload: new Uint8Array(70_000) };
      await rejectsWith("too-large", "a message of 70,000 bytes", backend.publish(pair(alice, bob), large));
      const group = { group: true, until: "delivered" } as const;
      await rejectsWith("unsupported", "delivery to a group", backend.publish(pair(alice, bob), {}, group));
      const receipt = { receipt: { sequences: [1n] } };
      await rejectsWith("invalid-argument", "a receipt of one's own", backend.publish(pair(alice, bob), receipt));
    },
  };

  const orderly: typeof cases = {
    "every member of a group gets every message, with a peer in it": async ({ connect }) => {
      const group = generatePrivateKey();
      const alice = peer(connect());
      const members = await Promise.all(
        [connect(), connect(), connect()].map((backend) =>
          backend.subscribe({ ours: group, theirs: PublicKey.any }, { group: true }),
        ),
      );
      const toGroup = { ours: alice.key, theirs: group.publicKey };
      await alice.backend.publish(toGroup, { payload: bytes("all") }, { group: true });
      for (const member of members) {
        const { message, sender } = await next(member);
        ensure(sender.equals(alice.key.publicKey), "the sender is the member's own key");
        ensure(text(message.payload) === "all" && message.peer !== undefined, "the message carries a peer");
      }
    },

    "a message for anybody of a key reaches all its instances; one for an instance only that": async ({ connect }) => {
      const alice = peer(connect());
      const key = generatePrivateKey();
      const [tab, phone] = [connect(), connect()];
      const subscriptions = await Promise.all(
        [tab, phone].map((backend) => backend.subscribe({ ours: key, theirs: alice.key.publicKey })),
      );
      const to = { ours: alice.key, theirs: key.publicKey };
      await alice.backend.publish(to, { payload: bytes("both") });
      for (const each of subscriptions) ensure(text((await next(each)).message.payload) === "both", "both get it");
      await alice.backend.publish(to, { payload: bytes("phone") }, { recipientInstance: phone.instance });
      await alice.backend.publish(to, { payload: bytes("end") });
      const [onTab, onPhone] = [
        await take(subscriptions[0] as Subscription, 1),
        await take(subscriptions[1] as Subscription, 2),
      ];
      ensure(onTab.map(({ message }) => text(message.payload)).join() === "end", "the other instance ignores it");
      ensure(
        onPhone.some(({ message, fresh }) => text(message.payload) === "phone" && fresh),
        "the named one takes it as fresh",
      );
    },
  };

  return makeCases(subject, subject.lossy === true ? cases : { ...cases, ...orderly });
}

interface Peer {
  readonly backend: Backend;
  readonly key: PrivateKey;
}

function pair(from: Peer, to: Peer): { readonly ours: PrivateKey; readonly theirs: PublicKey } {
  return { ours: from.key, theirs: to.key.publicKey };
}

function listen({ backend, key }: Peer, theirs: PublicKey): Promise<Subscription> {
  return backend.subscribe({ ours: key, theirs });
}

function send(from: Peer, to: Peer, payload: string, until: "accepted" | "delivered"): ReturnType<Backend["publish"]> {
  return from.backend.publish(pair(from, to), { payload: bytes(payload) }, { until });
}

function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

function text(payload: Uint8Array | undefined): string {
  return String.fromCharCode(...(payload ?? []));
}
