/** Sealing, opening and agreeing on keys, beside other libraries for the same box. */

import { nobleX25519, PublicKey, randomBytes, type X25519 } from "@wice/core";
import { nodeX25519 } from "@wice/node";
import sodium from "libsodium-wrappers";
import nacl from "tweetnacl";
// biome-ignore lint/style/noRestrictedImports: users seal by a backend or by keys; what a backend does once it has agreed on a key is not exported.
import { openWith, sealWith } from "../../packages/core/src/box.ts";
import { median, ratios } from "./statistics.ts";
import type { Topic } from "./topic.ts";

/** Does something so many times. */
type Repeat = (count: number) => void | Promise<void>;

interface Operation {
  readonly name: string;
  /** Of a turn: some milliseconds. */
  readonly perTurn: number;
  readonly ours: Repeat;
  readonly tweetnacl: Repeat;
  readonly libsodium: Repeat;
  /** Microseconds. */
  readonly bar?: number;
}

const libraries = ["ours", "tweetnacl", "libsodium"] as const;

export const crypto: Topic = {
  name: "crypto",
  title: "Cryptography: microseconds for one box or one key agreement",
  async measure({ quick }) {
    await sodium.ready;
    const operations = [...boxes(200, 10), ...boxes(2_000), ...agreements()];
    const results: { operation: Operation; micros: Record<(typeof libraries)[number], number[]> }[] = [];
    for (const operation of operations) {
      results.push({ operation, micros: await measure(operation, quick ? 5 : 31, quick ? 0.2 : 1) });
    }
    return {
      method:
        "Median time of one call over turns of some milliseconds, which the libraries take in every round, in changing " +
        "order, in one process, after a warm-up; ratios are medians of the ratios of rounds. Boxes: sealWith and " +
        "openWith of @wice/core, as a backend calls them with a cached key; secretbox of tweetnacl and " +
        "crypto_secretbox_easy of libsodium-wrappers (WebAssembly) with the same cached key. Sealing takes a new nonce " +
        "from the platform's generator for each box, in all three. Key agreement: sharedSecret of nobleX25519, which " +
        "runs anywhere, and of nodeX25519, which Node programs get; scalarMult and crypto_scalarmult.",
      table: {
        columns: ["operation", ...libraries, "ours/tweetnacl", "ours/libsodium"],
        rows: results.map(({ operation: { name }, micros: { ours, tweetnacl, libsodium } }) => [
          name,
          ...[ours, tweetnacl, libsodium, ratios(ours, tweetnacl), ratios(ours, libsodium)].map(median),
        ]),
      },
      bars: results.flatMap(({ operation: { name, bar }, micros: { ours } }) =>
        bar === undefined ? [] : [{ what: name, value: median(ours), limit: bar, unit: " µs" }],
      ),
    };
  },
};

async function measure(
  operation: Operation,
  rounds: number,
  share: number,
): Promise<Record<(typeof libraries)[number], number[]>> {
  const micros = { ours: [] as number[], tweetnacl: [] as number[], libsodium: [] as number[] };
  const count = Math.ceil(operation.perTurn * share);
  for (const library of libraries) await operation[library](4 * count);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < libraries.length; turn++) {
      const library = libraries[(round + turn) % libraries.length] ?? "ours";
      const startMs = performance.now();
      await operation[library](count);
      micros[library].push(((performance.now() - startMs) / count) * 1_000);
    }
  }
  return micros;
}

/** With a key that is agreed on already. */
function boxes(size: number, bar?: number): Operation[] {
  const key = randomBytes(32);
  const plaintext = randomBytes(size);
  const { nonce, body } = sealWith(key, plaintext, randomBytes);
  const common = { perTurn: 4_000, ...(bar !== undefined && { bar }) };
  return [
    {
      name: `seal ${size} bytes`,
      ...common,
      ours: times(() => sealWith(key, plaintext, randomBytes)),
      tweetnacl: times(() => nacl.secretbox(plaintext, randomBytes(24), key)),
      libsodium: times(() => sodium.crypto_secretbox_easy(plaintext, randomBytes(24), key)),
    },
    {
      name: `open ${size} bytes`,
      ...common,
      ours: times(() => openWith(key, { nonce, body })),
      tweetnacl: times(() => nacl.secretbox.open(body, nonce, key)),
      libsodium: times(() => sodium.crypto_secretbox_open_easy(body, nonce, key)),
    },
  ];
}

function agreements(): Operation[] {
  const [ours, theirs] = [nacl.box.keyPair(), nacl.box.keyPair()];
  const others = {
    tweetnacl: times(() => nacl.scalarMult(ours.secretKey, theirs.publicKey)),
    libsodium: times(() => sodium.crypto_scalarmult(ours.secretKey, theirs.publicKey)),
  };
  const agree = (x25519: X25519): Repeat => {
    const key = x25519.fromPrivateKey(ours.secretKey);
    const peer = PublicKey.fromBytes(theirs.publicKey);
    return async (count) => {
      for (let i = 0; i < count; i++) await key.sharedSecret(peer);
    };
  };
  return [
    { name: "key agreement, anywhere", perTurn: 20, ours: agree(nobleX25519), ...others },
    { name: "key agreement, in Node", perTurn: 20, ours: agree(nodeX25519), ...others },
  ];
}

function times(run: () => unknown): Repeat {
  return (count) => {
    for (let i = 0; i < count; i++) run();
  };
}
