/** `npm run conversation`: a relay, and two agents that talk through it. Everything it uses is what the packages export. */

import { setTimeout as pause } from "node:timers/promises";
import { styleText } from "node:util";
import {
  createBackend,
  decodeMessage,
  type Envelope,
  type EnvelopeTransport,
  electRole,
  encodeEnvelope,
  isWiceError,
  open,
  type PrivateKey,
  PublicKey,
} from "@wice/core";
import { createGrpcTransport, generatePrivateKey } from "@wice/node";
import { createRelay } from "@wice/node/relay";

const utf8 = { encode: new TextEncoder(), decode: new TextDecoder() };

// 1. Two peers. Each makes its key for itself, and tells the other its public key somehow: that is all they share.
const [alice, bob] = [generatePrivateKey(), generatePrivateKey()];
await title("Two peers, each with a key pair of its own");
row("alice", bold(alice.publicKey));
row("bob", bold(bob.publicKey));
note("These are the public keys. The private ones are never shown:", `${alice}`);

// 2. Who is in control when they connect: decided by the keys alone.
await title("Roles, without a message");
showComparison(alice.publicKey, bob.publicKey);

// 3. A relay, which they need not trust. In earnest it runs elsewhere: `wice relay --listen :8080`.
const relay = await createRelay();
await title("A relay that neither has to trust");
row("listens on", bold(relay.url));

// 4. Bob listens; alice writes to him, and waits until he has it.
const seen: Envelope[] = [];
const bobs = createBackend(watch(createGrpcTransport({ url: relay.url }), seen));
const alices = createBackend(createGrpcTransport({ url: relay.url }));
const inbox = await bobs.subscribe({ ours: bob, theirs: PublicKey.any });
row("subscribed", `bob, over gRPC, for messages of anybody to ${short(bob.publicKey)}`);

await title("Alice writes to bob");
const payload = utf8.encode.encode(JSON.stringify({ hello: "bob", lunch: "12:30" }));
const started = performance.now();
const receipt = await alices.publish({ ours: alice, theirs: bob.publicKey }, { payload }, { until: "delivered" });
const tookMs = performance.now() - started;
row("payload", utf8.decode.decode(payload));

await title("What the relay sees of it");
const envelope = await findPayload(bob, seen);
row("sender", `${envelope.sender}`);
row("recipient", `${envelope.recipient}`);
row("nonce", hex(envelope.nonce, 24));
row("sealed", `${hex(envelope.body, 20)} … ${dim(`${envelope.body.length} bytes`)}`);
note(
  `${encodeEnvelope(envelope).length} bytes in all. It cannot open them, and one bit changed is noticed:`,
  await tamper(bob, envelope),
);

await title("What bob gets");
for await (const { sender, message, fresh } of inbox) {
  row("opened", bold(utf8.decode.decode(message.payload)));
  row("from", `${short(sender)}, proven by the seal`);
  row("fresh", fresh ? "yes: it names bob's instance, so it cannot be a recording from before his start" : "no");
  break;
}

await title("What alice knows");
row(
  "delivered",
  `${styleText("green", "yes")}, to bob's instance ${receipt.instance?.slice(0, 8)}…, in ${tookMs.toFixed(0)} ms`,
);
const { published, delivered } = relay.counters();
note(`The relay carried ${published} envelopes and handed on ${delivered}: alice asked who is there, bob answered,`);
note("she wrote, he acknowledged.");

await Promise.all([alices.close(), bobs.close()]);
await relay.close();
console.log(`\n  Now with two terminals: ${bold("npx wice --help")}\n`);

/** A transport that shows what it carries. This is also how a transport of your own would look. */
function watch(transport: EnvelopeTransport, envelopes: Envelope[]): EnvelopeTransport {
  return {
    publish: (envelope, options) => transport.publish(envelope, options),
    async subscribe(recipient, options) {
      const subscription = await transport.subscribe(recipient, options);
      async function* observed(): AsyncGenerator<Envelope> {
        for await (const envelope of subscription) {
          envelopes.push(envelope);
          yield envelope;
        }
      }
      return { [Symbol.asyncIterator]: observed, close: () => subscription.close() };
    },
    close: () => transport.close(),
  };
}

/** Several envelopes have passed: questions who is there, and the one with the payload. */
async function findPayload(ours: PrivateKey, envelopes: readonly Envelope[]): Promise<Envelope> {
  for (const envelope of envelopes) {
    if (decodeMessage(await open(ours, envelope)).payload !== undefined) return envelope;
  }
  throw new Error("the payload was delivered, and no envelope had it");
}

async function tamper(ours: PrivateKey, envelope: Envelope): Promise<string> {
  const body = Uint8Array.from(envelope.body, (byte, i) => (i === 20 ? byte ^ 1 : byte));
  const opened = open(ours, { ...envelope, body });
  return opened.then(
    () => "it opened, which is a defect",
    (error: unknown) => (isWiceError(error) ? error.code : `${error}`),
  );
}

function showComparison(a: PublicKey, b: PublicKey): void {
  const [left, right] = [a.toBytes(), b.toBytes()];
  const at = left.findIndex((byte, i) => byte !== right[i]);
  const show = (bytes: Uint8Array): string =>
    `${hex(bytes, at)}${at > 0 ? " " : ""}${bold(hex(bytes.subarray(at), 1))} ${hex(bytes.subarray(at + 1), 7)} …`;
  row("alice", `${show(left)}  ${electRole(a, b)}`);
  row("bob", `${show(right)}  ${electRole(b, a)}`);
  const [less, more] = [left, right].map((bytes) => hex(bytes.subarray(at), 1)).sort();
  note(`The smaller key is the controlling one: the first byte that differs decides, ${less} < ${more}.`);
}

async function title(text: string): Promise<void> {
  if (process.stdout.isTTY) await pause(350);
  console.log(`\n  ${styleText(["cyan", "bold"], text)}`);
}

function row(label: string, text: string): void {
  console.log(`    ${dim(label.padEnd(10))}  ${text}`);
}

function note(text: string, emphasis = ""): void {
  console.log(`    ${dim(text)}${emphasis === "" ? "" : ` ${emphasis}`}`);
}

function hex(bytes: Uint8Array, count: number): string {
  return Array.from(bytes.subarray(0, count), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function short(key: PublicKey): string {
  return `${key.toString().slice(0, 8)}…`;
}

function bold(text: { toString(): string }): string {
  return styleText("bold", text.toString());
}

function dim(text: string): string {
  return styleText("dim", text);
}
