import {
  type Backend,
  createBackend,
  decodeMessage,
  type Envelope,
  generatePrivateKey,
  open,
  type PrivateKey,
  PublicKey,
} from "@wice/core";
import { createSeededRandom, createVirtualClock } from "@wice/core/testing";
import { describe, expect, test } from "vitest";
import { collect } from "./support/collect.ts";
import { createCountingX25519 } from "./support/counting-x25519.ts";
import { hasCode, rejectionOf } from "./support/errors.ts";
import { createTestRelay } from "./support/relay.ts";
import { sealWithHeader } from "./support/signed.ts";
import { bytes, payloadText } from "./support/text.ts";

const setup = () => {
  const clock = createVirtualClock();
  const random = createSeededRandom(1).bytes;
  const relay = createTestRelay();
  const peer = (key = generatePrivateKey({ x25519: createCountingX25519() })) => ({
    key,
    backend: createBackend(relay.connect(), { clock, random }),
  });
  return { clock, relay, peer };
};
interface Peer {
  readonly key: PrivateKey;
  readonly backend: Backend;
}
const pair = (from: Peer, to: Peer) => ({ ours: from.key, theirs: to.key.publicKey });
const deliver = (
  from: Peer,
  to: Peer,
  text: string,
  options: { timeoutMs?: number; recipientInstance?: string } = {},
) => from.backend.publish(pair(from, to), { payload: bytes(text) }, { until: "delivered", ...options });
const listen = async (to: Peer, from: Peer) => collect(await to.backend.subscribe(pair(to, from)));
const texts = ({ messages }: ReturnType<typeof collect>) => messages.map(({ message }) => payloadText(message));

describe("a relay that records, repeats and reflects everything", () => {
  test("makes no instance take a message twice, and no recording fresh for the next", async () => {
    const { clock, relay, peer } = setup();
    const [alice, bob] = [peer(), peer()];
    const first = await listen(bob, alice);
    for (const text of ["one", "two", "three"]) await clock.runUntil(deliver(alice, bob, text));
    await alice.backend.publish(pair(alice, bob), { payload: bytes("plain") });
    await clock.advance(0);
    const everything = async () => {
      for (const envelope of [...relay.log]) {
        await relay.inject(envelope);
        await relay.inject({ ...envelope, sender: envelope.recipient, recipient: envelope.sender });
      }
      await clock.advance(0);
    };
    await everything();
    expect(texts(first)).toEqual(["one", "two", "three", "plain"]);
    await bob.backend.close();

    const again = await listen(peer(bob.key), alice);
    await everything();
    // What names the old instance is refused, what names none may be a recording: it says so.
    expect(again.messages.map(({ message, fresh }) => [payloadText(message), fresh])).toEqual([["plain", false]]);
  });

  test("cannot make a delivery seem done that was not", async () => {
    const { clock, relay, peer } = setup();
    const [alice, bob, mallet] = [peer(), peer(), peer()];
    await listen(bob, alice);
    for (const text of ["one", "two", "three"]) await clock.runUntil(deliver(alice, bob, text));
    const recordings = [...relay.log];
    // From now on the relay carries nothing of these two, and makes up what it can.
    relay.filter = () => false;
    const pending = rejectionOf(deliver(alice, bob, "four", { timeoutMs: 60_000 }));
    const receipt = (sequences: bigint[]) => ({
      receipt: { instance: Buffer.from(alice.backend.instance, "hex"), sequences },
    });
    const all = Array.from({ length: 50 }, (_, i) => BigInt(i));
    const to = alice.key.publicKey;
    const named = { instance: bob.backend.instance, recipientInstance: alice.backend.instance, sequence: 1000 };
    const lies: Envelope[] = [
      ...recordings,
      ...recordings.map((envelope) => ({ ...envelope, sender: envelope.recipient, recipient: envelope.sender })),
      // Another peer's receipt, in its own name and in bob's.
      await sealWithHeader(mallet.key, to, receipt(all), named),
      { ...(await sealWithHeader(mallet.key, to, receipt(all), named)), sender: bob.key.publicKey },
      // Bob's own, but for another instance of alice's, or for none.
      await sealWithHeader(bob.key, to, receipt(all), { ...named, recipientInstance: "cd".repeat(16) }),
      await sealWithHeader(bob.key, to, receipt(all), { instance: named.instance, sequence: 1001 }),
      await sealWithHeader(
        bob.key,
        to,
        { receipt: { ...receipt(all).receipt, instance: new Uint8Array(16) } },
        { ...named, sequence: 1002 },
      ),
    ];
    for (let round = 0; round < 5; round++) {
      for (const lie of lies) await relay.inject(lie);
      await clock.advance(5000);
    }
    expect(await clock.runUntil(pending)).toEqual(hasCode("delivery-unknown"));
  });

  test("cannot make a message seem never handed over that was, by saying that nobody is subscribed", async () => {
    const { clock, relay, peer } = setup();
    const bob = peer();
    const key = generatePrivateKey();
    const transport = relay.connect((inner) => ({
      publish: async (...call) => {
        await inner.publish(...call);
        return { subscribers: 0 };
      },
    }));
    const alice = { key, backend: createBackend(transport, { clock }) };
    const taken = await listen(bob, alice);
    await clock.runUntil(deliver(alice, bob, "one"));
    relay.filter = ({ sender }) => !sender.equals(bob.key.publicKey);
    const error = await clock.runUntil(rejectionOf(deliver(alice, bob, "two", { timeoutMs: 5000 })));
    await clock.advance(0);
    expect(texts(taken)).toEqual(["one", "two"]);
    expect(error).toEqual(hasCode("delivery-unknown"));
  });

  test("cannot make somebody else's key stand for a peer's", async () => {
    const { clock, relay, peer } = setup();
    const [alice, bob, mallet] = [peer(), peer(), peer()];
    const { messages } = collect(await bob.backend.subscribe({ ours: bob.key, theirs: PublicKey.any }));
    await clock.runUntil(deliver(mallet, bob, "from mallet"));
    for (const envelope of [...relay.log]) {
      if (envelope.sender.equals(mallet.key.publicKey))
        await relay.inject({ ...envelope, sender: alice.key.publicKey });
    }
    await clock.advance(0);
    expect(messages.map(({ sender }) => sender.toString())).toEqual([mallet.key.publicKey.toString()]);
  });
});

describe("a recipient", () => {
  test("acknowledges a duplicate again, when the first receipt was lost, and takes it once", async () => {
    const { clock, relay, peer } = setup();
    const [alice, bob] = [peer(), peer()];
    const taken = await listen(bob, alice);
    await clock.runUntil(deliver(alice, bob, "one"));
    let lost = 3;
    relay.filter = ({ sender }) => !(sender.equals(bob.key.publicKey) && lost-- > 0);
    await clock.runUntil(deliver(alice, bob, "two"));
    expect(lost).toBeLessThan(0);
    expect(texts(taken)).toEqual(["one", "two"]);
  });

  test("that restarts while a delivery is pending gets it as its new instance", async () => {
    const { clock, relay, peer } = setup();
    const [alice, bob] = [peer(), peer()];
    await listen(bob, alice);
    await clock.runUntil(deliver(alice, bob, "one"));
    relay.filter = ({ recipient }) => !recipient.equals(bob.key.publicKey);
    const pending = deliver(alice, bob, "two", { timeoutMs: 60_000 });
    await clock.advance(2000);
    await bob.backend.close();
    relay.filter = () => true;
    const restarted = peer(bob.key);
    const taken = await listen(restarted, alice);
    expect((await clock.runUntil(pending)).instance).toBe(restarted.backend.instance);
    expect(taken.messages.map(({ message, fresh }) => [payloadText(message), fresh])).toEqual([["two", true]]);
  });

  test("with several instances: one takes a delivery, the named one when one is named", async () => {
    const { clock, peer } = setup();
    const [alice, tab] = [peer(), peer()];
    const phone = peer(tab.key);
    const [onTab, onPhone] = [await listen(tab, alice), await listen(phone, alice)];
    const { instance } = await clock.runUntil(deliver(alice, tab, "any"));
    expect(texts(onTab).length + texts(onPhone).length).toBe(1);
    const [taker, other] = instance === tab.backend.instance ? [onTab, onPhone] : [onPhone, onTab];
    expect([texts(taker), texts(other)]).toEqual([["any"], []]);
    for (const each of [tab, phone]) {
      const recipientInstance = each.backend.instance;
      expect((await clock.runUntil(deliver(alice, tab, recipientInstance, { recipientInstance }))).instance).toBe(
        recipientInstance,
      );
    }
    expect(texts(onTab)).toContain(tab.backend.instance);
    expect(texts(onPhone)).toContain(phone.backend.instance);
    expect([...texts(onTab), ...texts(onPhone)].length).toBe(3);
  });

  test("one of whose instances went away gets deliveries at the other", async () => {
    const { clock, peer } = setup();
    const [alice, tab] = [peer(), peer()];
    const phone = peer(tab.key);
    const all = [await listen(tab, alice), await listen(phone, alice)];
    const { instance } = await clock.runUntil(deliver(alice, tab, "one"));
    const [gone, left] = instance === tab.backend.instance ? [tab, phone] : [phone, tab];
    await gone.backend.close();
    expect((await clock.runUntil(deliver(alice, tab, "two"))).instance).toBe(left.backend.instance);
    expect(all.flatMap(texts).sort()).toEqual(["one", "two"]);
  });

  test("of a group key acknowledges nothing", async () => {
    const { clock, relay, peer } = setup();
    const [alice, bob] = [peer(), peer()];
    await bob.backend.subscribe(pair(bob, alice), { group: true });
    expect(await clock.runUntil(rejectionOf(deliver(alice, bob, "x", { timeoutMs: 10_000 })))).toEqual(
      hasCode("not-delivered"),
    );
    expect(relay.log.filter(({ sender }) => sender.equals(bob.key.publicKey))).toEqual([]);
  });
});

test("thousands of deliveries to nobody all end with a type, and ask little of the relay meanwhile", async () => {
  const { clock, relay, peer } = setup();
  const [alice, bob] = [peer(), peer()];
  const pending = Array.from({ length: 5000 }, () => rejectionOf(deliver(alice, bob, "x", { timeoutMs: 60_000 })));
  const errors = await clock.runUntil(Promise.all(pending));
  for (const error of errors) expect(error).toEqual(hasCode("not-delivered"));
  // Questions only, with backoff: nothing of the messages leaves before somebody is there.
  expect(relay.log.length).toBeLessThan(60);
  await clock.advance(10_000);
  expect(clock.pending).toBe(0);
});

test("accepted messages in bulk never disturb a pending delivery", async () => {
  const { clock, relay, peer } = setup();
  const [alice, bob] = [peer(), peer()];
  const taken = await listen(bob, alice);
  await clock.runUntil(deliver(alice, bob, "first"));
  // What asks for a receipt is lost for a while.
  let asking = true;
  const asks = async (envelope: Envelope) => decodeMessage(await open(bob.key, envelope)).header?.acknowledge === true;
  const held: Envelope[] = [];
  relay.filter = (envelope) => {
    if (!asking || !envelope.recipient.equals(bob.key.publicKey)) return true;
    held.push(envelope);
    return false;
  };
  const pending = deliver(alice, bob, "pending", { timeoutMs: 60_000 });
  for (let i = 0; i < 5000; i++) await alice.backend.publish(pair(alice, bob), { payload: bytes("bulk") });
  for (const envelope of held.splice(0)) if (!(await asks(envelope))) await relay.inject(envelope);
  await clock.advance(1000);
  asking = false;
  await clock.runUntil(pending);
  await clock.advance(0);
  expect(texts(taken).filter((text) => text === "pending").length).toBe(1);
  expect(texts(taken).length).toBeGreaterThan(4000);
});
