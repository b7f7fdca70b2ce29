/**
 * `npm run vectors -- FILE`: checks our implementation against known answers of another one. Every entry is made anew
 * from its inputs and compared whole, so that a changed character anywhere in it shows.
 */

import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import {
  decodeEnvelope,
  electRole,
  encodeEnvelope,
  open,
  type PrivateKey,
  PublicKey,
  parsePrivateKey,
  seal,
} from "@wice/core";
import { privateKeyFromPassphrase } from "@wice/core/passphrase";
import { BuildInfoSchema, GetRelaysRespSchema, MessageSchema, SubscribeParamsSchema } from "@wice/core/wire";
import { turnRestCredentials } from "@wice/node/relay";

type Entry = Readonly<Record<string, unknown>>;

/** Makes an entry anew from what is input in it. */
type Section = (entry: Entry) => Promise<Entry>;

const sections: Readonly<Record<string, Section>> = {
  async keys(entry) {
    const key = privateKey(entry.privateKey);
    return {
      privateKey: base64(key.exportKey()),
      privateKeyHex: hex(key.exportKey()),
      publicKey: key.publicKey.toString(),
      publicKeyHex: hex(key.publicKey.toBytes()),
    };
  },

  async pairs(entry) {
    const ours = privateKey(entry.ours);
    const theirs = PublicKey.parse(text(entry.theirs));
    return {
      ourRole: electRole(ours.publicKey, theirs),
      ours: base64(ours.exportKey()),
      oursPublic: ours.publicKey.toString(),
      theirs: theirs.toString(),
      x25519SharedHex: hex(await ours.sharedSecret(theirs)),
    };
  },

  async passphrases(entry) {
    const passphrase = text(entry.passphrase);
    const key = await privateKeyFromPassphrase(passphrase);
    return { passphrase, privateKey: base64(key.exportKey()), publicKey: key.publicKey.toString() };
  },

  async messages(entry) {
    return { name: entry.name, ...bothWays(MessageSchema, entry) };
  },

  async otherMessages(entry) {
    const type = text(entry.type);
    const schema = [BuildInfoSchema, GetRelaysRespSchema, SubscribeParamsSchema].find(
      ({ typeName }) => typeName === type,
    );
    if (schema === undefined) throw new Error(`unknown message type ${type}`);
    return { type, ...bothWays(schema, entry) };
  },

  async envelopes(entry) {
    const [sender, recipient] = [privateKey(entry.senderPrivateKey), privateKey(entry.recipientPrivateKey)];
    const plaintext = await open(recipient, decodeEnvelope(bytes(entry.envelopeHex)));
    const nonce = bytes(entry.nonceHex);
    const pair = { ours: sender, theirs: recipient.publicKey };
    const sealed = await seal(pair, plaintext, { random: () => nonce });
    return {
      name: entry.name,
      bodyHex: hex(sealed.body),
      envelopeHex: hex(encodeEnvelope(sealed)),
      messageHex: hex(plaintext),
      nonceHex: hex(sealed.nonce),
      recipient: recipient.publicKey.toString(),
      recipientPrivateKey: base64(recipient.exportKey()),
      sender: sender.publicKey.toString(),
      senderPrivateKey: base64(sender.exportKey()),
    };
  },

  async turnRestCredentials(entry) {
    const [secret, expiresUnix] = [text(entry.secret), Number(entry.expiresUnix)];
    const publicKey = PublicKey.parse(text(entry.publicKey));
    return {
      secret,
      expiresUnix,
      publicKey: publicKey.toString(),
      ...turnRestCredentials(secret, publicKey, expiresUnix),
    };
  },
};

/** From bytes to JSON, and from JSON to bytes. */
function bothWays(schema: DescMessage, { binaryHex, json }: Entry): Entry {
  return {
    json: toJson(schema, fromBinary(schema, bytes(binaryHex))),
    binaryHex: hex(toBinary(schema, fromJson(schema, json as JsonValue))),
  };
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new Error("a text is missing");
  return value;
}

function privateKey(value: unknown): PrivateKey {
  return parsePrivateKey(text(value));
}

function bytes(value: unknown): Uint8Array<ArrayBuffer> {
  if (!/^([0-9a-f]{2})*$/.test(text(value))) throw new Error("not hexadecimal");
  return Uint8Array.from(Buffer.from(text(value), "hex"));
}

function hex(value: Uint8Array): string {
  return Buffer.from(value).toString("hex");
}

function base64(value: Uint8Array): string {
  return Buffer.from(value).toString("base64");
}

/** What is wrong with an entry, or undefined. */
async function flaw(section: Section, entry: Entry): Promise<string | undefined> {
  try {
    const expected = await section(entry);
    const names = new Set([...Object.keys(expected), ...Object.keys(entry)]);
    const wrong = [...names].filter((name) => !isDeepStrictEqual(expected[name], entry[name]));
    return wrong.length === 0 ? undefined : `differs in ${wrong.join(", ")}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function main(file: string | undefined): Promise<void> {
  if (file === undefined) throw new Error("usage: npm run vectors -- FILE");
  const { about, ...content } = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
  if (typeof about === "string") console.log(about);
  for (const [name, entries] of Object.entries(content)) {
    const section = sections[name];
    if (section === undefined || !Array.isArray(entries)) throw new Error(`unknown section "${name}"`);
    for (const [index, entry] of (entries as Entry[]).entries()) {
      const wrong = await flaw(section, entry);
      if (wrong === undefined) continue;
      const label = entry.name ?? entry.type;
      throw new Error(`${name}[${index}]${label === undefined ? "" : ` (${label})`}: ${wrong}`);
    }
    console.log(`${name.padEnd(20)} ${String(entries.length).padStart(4)} ok`);
  }
  const missing = Object.keys(sections).filter((name) => !(name in content));
  if (missing.length > 0) throw new Error(`the file has no section ${missing.join(", ")}`);
}

try {
  await main(process.argv[2]);
} catch (error) {
  console.error(`vectors: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
