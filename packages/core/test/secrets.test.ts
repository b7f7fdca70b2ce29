import { inspect } from "node:util";
import {
  createBackend,
  decodeEnvelope,
  decodeMessage,
  type EnvelopeTransport,
  encodeMessage,
  importPrivateKey,
  type MessageInit,
  nobleX25519,
  open,
  PrivateKey,
  PublicKey,
  parsePrivateKey,
  randomBytes,
  seal,
  WiceError,
} from "@wice/core";
import { createFaultyTransport, createVirtualClock } from "@wice/core/testing";
import { expect, test, vi } from "vitest";
import { fromBase64 } from "../src/bytes.ts";
import { createTestRelay } from "./support/relay.ts";
import { sealPlain, sealWithHeader } from "./support/signed.ts";
import { bytes } from "./support/text.ts";

/** Everything that must never be seen, in all the forms in which it might be. */
function forms(secret: Uint8Array): string[] {
  const buffer = Buffer.from(secret);
  return [
    ...[
      buffer.toString("hex"),
      buffer.toString("base64"),
      buffer.toString("base64url"),
      buffer.toString("latin1"),
      buffer.toString(),
    ],
    [...secret.subarray(0, 6)].join(", "),
    [...secret.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, "0")).join(" "),
  ];
}

test("no failure and no log shows a private key, a shared secret, ufrag, pwd or payload", async () => {
  const [mine, friend] = [randomBytes(32), randomBytes(32)].map((secret) => ({
    secret,
    key: importPrivateKey(secret),
  })) as [{ secret: Uint8Array; key: PrivateKey }, { secret: Uint8Array; key: PrivateKey }];
  const [ufrag, pwd, payload] = ["uFrAgPlAnTeDhErE", "pWdPlAnTeDhErEpWdPlAnTeDhErEpWdX", "pAyLoAdPlAnTeDhErE"];
  const shared = await mine.key.sharedSecret(friend.key.publicKey);
  const planted = [mine.secret, friend.secret, shared, bytes(ufrag), bytes(pwd), bytes(payload)].flatMap(forms);
  const message: MessageInit = { credentials: { ufrag, pwd }, payload: bytes(payload) };
  const pair = { ours: mine.key, theirs: friend.key.publicKey };

  const shown: string[] = [];
  const show = (error: unknown): void => {
    for (let each = error, depth = 0; each !== undefined && depth < 10; depth++) {
      shown.push(
        String(each),
        inspect(each, { depth: 20, showHidden: true, getters: true, maxStringLength: null, maxArrayLength: null }),
      );
      if (each instanceof Error) shown.push(each.message, each.stack ?? "", JSON.stringify(each));
      each = each instanceof Error ? each.cause : undefined;
    }
  };
  const logs = (["log", "info", "warn", "error", "debug"] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation((...values) => void shown.push(inspect(values, { depth: 20 }))),
  );
  const warn = vi.spyOn(process, "emitWarning").mockImplementation((warning) => void shown.push(inspect(warning)));
  let failures = 0;
  const note = (error: unknown): void => {
    failures += 1;
    show(error);
  };
  const fails = async (operation: () => unknown): Promise<void> => {
    try {
      await operation();
    } catch (error) {
      note(error);
      return;
    }
    throw new Error(`did not fail: ${operation}`);
  };

  // Keys and texts.
  const base64 = Buffer.from(mine.secret).toString("base64");
  for (const text of [`${base64}=`, base64.slice(1), base64.slice(0, -1), ` ${base64} x`]) {
    await fails(() => parsePrivateKey(text));
    await fails(() => PublicKey.parse(text));
  }
  await fails(() => importPrivateKey(mine.secret.subarray(1)));
  await fails(() => PublicKey.fromBytes(Uint8Array.of(...mine.secret, 1)));
  expect(fromBase64(base64)).toEqual(mine.secret);

  // Boxes and messages.
  const envelope = await seal(pair, encodeMessage(message));
  await fails(() => open(mine.key, envelope));
  await fails(() => open(friend.key, { ...envelope, sender: importPrivateKey(randomBytes(32)).publicKey }));
  await fails(() => open(friend.key, { ...envelope, body: envelope.body.subarray(1) }));
  await fails(() => seal({ ...pair, theirs: PublicKey.any }, bytes(payload)));
  for (let cut = 1; cut < 40; cut += 3) await fails(() => decodeMessage(encodeMessage(message).subarray(0, cut)));
  await fails(() => decodeMessage(Uint8Array.of(0x0a, 0x7f, ...bytes(pwd))));
  await fails(() => decodeEnvelope(encodeMessage(message)));
  for (const wrong of [
    { payload },
    { credentials: pwd },
    { candidate: { port: pwd } },
    { payload: bytes(payload), candidate: { port: 1e12 } },
  ]) {
    await fails(() => encodeMessage(wrong as unknown as MessageInit));
  }

  // Backends over transports and key stores that fail in all ways.
  const clock = createVirtualClock();
  const relay = createTestRelay();
  const passing = new WiceError("unavailable", "down", { retryable: true });
  const broken: ((transport: EnvelopeTransport) => Partial<EnvelopeTransport>)[] = [
    () => ({ publish: () => Promise.reject(passing), subscribe: () => Promise.reject(passing) }),
    () => ({
      publish: () => Promise.reject(new WiceError("too-large", "large")),
      subscribe: () => Promise.reject(new WiceError("permission-denied", "no")),
    }),
    () => ({
      publish: (sealed) => Promise.reject(Object.assign(new TypeError("defect"), { sealed })),
      subscribe: (key) => Promise.reject(Object.assign(new TypeError("defect"), { key })),
    }),
    () => ({ publish: () => new Promise(() => {}), subscribe: () => new Promise(() => {}) }),
    (transport) => createFaultyTransport(transport, { faults: { loss: 1 }, clock }),
  ];
  for (const overrides of broken) {
    const backend = createBackend(relay.connect(overrides), { clock });
    const status = backend.status()[Symbol.asyncIterator]();
    const first = status.next().then(({ value }) => shown.push(inspect(value, { depth: 20 })));
    for (const until of ["accepted", "delivered"] as const) {
      const signal = AbortSignal.abort();
      await fails(() => backend.publish(pair, message, { until, signal }));
      const publishing = backend.publish(pair, message, { until, timeoutMs: 1000 });
      await clock.runUntil(publishing.then(() => {}, note));
      await fails(() => backend.publish({ ...pair, theirs: mine.key.publicKey }, message, { until }));
      await fails(() => backend.publish(pair, { ...message, payload: new Uint8Array(70_000).fill(0x41) }, { until }));
      await fails(() => backend.publish(pair, message, { until, recipientInstance: "x" }));
    }
    await backend.close();
    await first;
    await fails(() => backend.publish(pair, message));
    shown.push(inspect(backend, { depth: 20, showHidden: true }), inspect(backend.counters()));
  }
  const store = new PrivateKey({
    publicKey: mine.key.publicKey,
    sharedSecret: () => Promise.reject(new Error("the store is locked")),
  });
  const locked = createBackend(relay.connect(), { clock });
  await fails(() => locked.publish({ ...pair, ours: store }, message));
  await clock.runUntil(locked.publish({ ...pair, ours: store }, message, { until: "delivered" }).then(() => {}, note));
  shown.push(inspect([pair, store, nobleX25519], { depth: 20, showHidden: true }), JSON.stringify({ pair, store }));

  // What strangers send.
  const backend = createBackend(relay.connect(), { clock });
  await backend.subscribe({ ours: mine.key, theirs: PublicKey.any });
  for (const sent of [
    await sealPlain(friend.key, mine.key.publicKey, message),
    await seal({ ours: friend.key, theirs: mine.key.publicKey }, bytes(pwd)),
    await sealWithHeader(friend.key, mine.key.publicKey, message, { instance: "ab", sequence: 1 }),
    { ...envelope, recipient: mine.key.publicKey, sender: friend.key.publicKey },
  ]) {
    await relay.inject(sent);
    await clock.advance(0);
  }
  await backend.close();

  for (const spy of [...logs, warn]) spy.mockRestore();
  expect(failures).toBeGreaterThan(80);
  const everything = shown.join("\n");
  for (const secret of planted) expect(everything.includes(secret)).toBe(false);
});
