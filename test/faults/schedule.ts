/** One randomised run of two or three peers over a network that does everything wrong, in virtual time. */

import {
  type Backend,
  createBackend,
  createInProcessNetwork,
  generatePrivateKey,
  isWiceError,
  type PrivateKey,
} from "@wice/core";
import { createFaultyTransport, createSeededRandom, createVirtualClock, type Faults } from "@wice/core/testing";

export interface ScheduleReport {
  readonly delivered: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly restarts: number;
  readonly envelopes: number;
  readonly virtualMs: number;
}

/** A peer keeps its key over restarts; each start is a new instance. */
interface Peer {
  readonly key: PrivateKey;
  backend: Backend;
}

/** Throws an error that says what was broken. The same seed gives the same run. */
export async function runSchedule(seed: number): Promise<ScheduleReport> {
  const random = createSeededRandom(seed);
  const clock = createVirtualClock();
  const network = createInProcessNetwork();
  const faults: Faults = {
    loss: random.number() * 0.5,
    duplication: random.number() * 0.5,
    replay: random.number() * 0.5,
    reflection: random.number() * 0.2,
    corruption: random.number() * 0.1,
    failure: random.number() * 0.3,
    cut: random.chance(0.3) ? random.number() * 0.1 : 0,
    delayMs: [0, random.integer(0, 2000)],
  };
  let envelopes = 0;
  const transports = new Set<ReturnType<typeof createFaultyTransport>>();
  const start = (key: PrivateKey): Peer => {
    const inner = network.connect();
    const counted = {
      ...inner,
      publish: (...call: Parameters<typeof inner.publish>) => {
        envelopes += 1;
        return inner.publish(...call);
      },
    };
    const transport = createFaultyTransport(counted, { faults, random, clock });
    transports.add(transport);
    const peer: Peer = { key, backend: createBackend(transport, { clock, random: random.bytes }) };
    return peer;
  };

  const pick = (): Peer => random.pick(peers as [Peer, ...Peer[]]);
  const peers = Array.from({ length: random.integer(2, 3) }, () => start(generatePrivateKey({ random: random.bytes })));
  // Two instances of one key at a time: tabs, devices.
  if (random.chance(0.4)) peers.push(start(pick().key));
  /** What each instance was handed, and from the log of all. */
  const taken = new Map<string, Set<string>>();
  const broken: string[] = [];
  const listen = async (peer: Peer): Promise<void> => {
    const { backend, key } = peer;
    const log = new Set<string>();
    taken.set(backend.instance, log);
    const subscriptions = await Promise.all(
      [...new Set(peers.map(({ key: other }) => other))]
        .filter((other) => other !== key)
        .map((other) => backend.subscribe({ ours: key, theirs: other.publicKey }, { maxQueuedMessages: 2 })),
    );
    await Promise.all(
      subscriptions.map(async (subscription) => {
        for await (const { message, fresh } of subscription) {
          const id = new TextDecoder().decode(message.payload);
          if (log.has(id)) broken.push(`${id} arrived twice at one instance`);
          if (!fresh) broken.push(`${id} was delivered without naming the instance`);
          log.add(id);
          if (random.chance(0.1))
            await new Promise<void>((resolve) => void clock.schedule(random.integer(0, 2000), resolve));
        }
      }),
    );
  };
  const listening = peers.map((peer) => listen(peer).catch(() => {}));

  let restarts = 0;
  const restarting = new Set<Peer>();
  const restart = async (): Promise<void> => {
    const peer = pick();
    if (restarting.has(peer)) return;
    restarting.add(peer);
    restarts += 1;
    await peer.backend.close();
    await new Promise<void>((resolve) => void clock.schedule(random.integer(0, 3000), resolve));
    peer.backend = start(peer.key).backend;
    restarting.delete(peer);
    listening.push(listen(peer).catch(() => {}));
  };

  const failed: Record<string, number> = {};
  let delivered = 0;
  const send = async (id: string): Promise<void> => {
    const [from, to] = [pick(), pick()];
    if (from.key === to.key) return;
    const { backend } = from;
    const timeoutMs = random.integer(500, 60_000);
    const pair = { ours: from.key, theirs: to.key.publicKey };
    try {
      const receipt = await backend.publish(
        pair,
        { payload: new TextEncoder().encode(id) },
        { until: "delivered", timeoutMs },
      );
      delivered += 1;
      if (taken.get(receipt.instance ?? "")?.has(id) !== true) unread.push([receipt.instance ?? "", id]);
    } catch (error) {
      if (!isWiceError(error)) throw error;
      failed[error.code] = (failed[error.code] ?? 0) + 1;
      if (!["not-delivered", "delivery-unknown", "closed"].includes(error.code))
        broken.push(`${id} failed with ${error.code}`);
      if (error.code === "not-delivered" || error.code === "closed") never.push(id);
    }
  };
  /** Delivered, but still in the queue of the subscription when the promise resolved. */
  const unread: [instance: string, id: string][] = [];
  const never: string[] = [];

  const actions: Promise<void>[] = [];
  const count = random.integer(10, 40);
  for (let i = 0; i < count; i++) {
    await clock.advance(random.integer(0, 800));
    if (random.chance(0.08)) actions.push(restart());
    else if (random.chance(0.05)) for (const transport of transports) transport.cut();
    else actions.push(send(`${seed}:${i}`));
  }
  await clock.runUntil(Promise.all(actions));
  for (const transport of transports) transport.inject({});
  await clock.advance(60_000);

  const closedInstances = new Set(
    [...taken.keys()].filter((instance) => !peers.some(({ backend }) => backend.instance === instance)),
  );
  for (const [instance, id] of unread) {
    // An application that is restarted loses what it had not read: that is its own loss, not the network's.
    if (taken.get(instance)?.has(id) !== true && !closedInstances.has(instance))
      broken.push(`${id} was reported, and is missing`);
  }
  for (const id of never) {
    if ([...taken.values()].some((log) => log.has(id))) broken.push(`${id} was reported as never handed over, and was`);
  }
  await Promise.all(peers.map(({ backend }) => backend.close()));
  await clock.runUntil(Promise.all(listening));
  if (clock.pending > 0) broken.push(`${clock.pending} timers are left after close`);
  if (broken.length > 0) throw new Error(`seed ${seed}: ${broken.join("; ")}`);
  return { delivered, failed, restarts, envelopes, virtualMs: clock.now() };
}
