/** `wice subscribe` */

import { type Backend, createBackend, type KeyPair, PublicKey, type ReceivedMessage } from "@wice/core";
import { abortable } from "@wice/core/transport";
import { type Command, type Context, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { formatJson, formatText } from "./incoming.ts";
import { readKeyOption } from "./key-option.ts";
import { parseCount } from "./number-option.ts";
import { observeTransport } from "./observed-transport.ts";
import { openSignaling } from "./open-signaling.ts";
import { checkOther, parsePeer } from "./peer-argument.ts";
import { caOption, keyOption, maxEnvelopeBytesOption, signalingOptions } from "./shared-options.ts";
import { reportStatus } from "./subscription-status.ts";

/** How long receipts for the last messages may take to leave. */
const farewellMs = 2_000;

export const subscribe: Command = defineCommand({
  name: "subscribe",
  summary: "print the messages that arrive for a key",
  positionals: [],
  options: {
    key: keyOption,
    ...signalingOptions,
    from: { value: "PEER", help: "only messages of the peer with this public key" },
    json: { help: "a JSON object for each message, for programs" },
    count: { value: "N", help: "end after N messages" },
    group: { help: "the key is one that several members hold" },
    ca: caOption,
    "max-envelope-bytes": maxEnvelopeBytesOption,
  },
  about: [
    "Prints a line for each message that arrives for our key, until it is stopped. It\nwaits for a relay that is not there yet, and comes back after every loss.",
    "Columns: the sender's public key, which its seal proves; `fresh` if the message\ncannot be a recording from before our start; the payload. With --json: sender,\ninstance (null for cunīcu), fresh, and one of payload (JSON), payloadBase64 (other\nbytes), message (protobuf JSON of cunicu.signaling.Message). What is going on\nwith the relay is told on stderr.",
  ],
  examples: [
    "wice subscribe --key bob.key --relay http://127.0.0.1:8080",
    "wice subscribe --key bob.key --relay https://relay.example.org --json | jq .payload",
  ],
  async run(invocation) {
    const { options, io, out, notes, signal } = invocation;
    const theirs = options.from === undefined ? PublicKey.any : parsePeer("--from", options.from);
    const count = parseCount("count", options.count) ?? Number.POSITIVE_INFINITY;
    const maxEnvelopeBytes = parseCount("max-envelope-bytes", options["max-envelope-bytes"]);
    const relay = await openSignaling(options, { maxEnvelopeBytes, notes, signal });
    const ours = await readKeyOption(options.key, io, { signal });
    checkOther("--from", theirs, ours.publicKey);
    const transport = observeTransport(relay);
    const backend = createBackend(transport, { maxEnvelopeBytes });
    const format = options.json ? formatJson : (received: ReceivedMessage) => formatText(received, out.style);
    const reported = reportStatus(backend, notes);
    try {
      await printMessages({ backend, pair: { ours, theirs }, group: options.group, count, format }, invocation);
      await Promise.race([transport.idle(), new Promise((resolve) => setTimeout(resolve, farewellMs).unref())]);
    } finally {
      await backend.close();
      await reported;
    }
    return exitCode.ok;
  },
});

interface Job {
  readonly backend: Backend;
  readonly pair: KeyPair;
  readonly group: boolean;
  /** How many messages to print. */
  readonly count: number;
  format(received: ReceivedMessage): string;
}

async function printMessages(
  { backend, pair, group, count, format }: Job,
  { out, notes, signal }: Context,
): Promise<void> {
  const subscription = await backend.subscribe(pair, { group, signal });
  let printed = 0;
  let overflowed = 0;
  for await (const received of subscription) {
    await abortable(out.line(format(received)), signal);
    printed += 1;
    if (printed >= count) return;
    const { "queue-full": lost } = backend.counters();
    if (lost > overflowed)
      await notes.line(`${lost - overflowed} messages were dropped: the output is not read fast enough`);
    overflowed = lost;
  }
}
