/** `wice publish` */

import { type Backend, createBackend, isWiceError, type KeyPair, type MessageInit, WiceError } from "@wice/core";
import { type Command, type Context, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { createInFlight } from "./in-flight.ts";
import { readKeyOption } from "./key-option.ts";
import { parseCount, parseSeconds } from "./number-option.ts";
import { type ObservedTransport, observeTransport } from "./observed-transport.ts";
import { once } from "./once.ts";
import { openSignaling } from "./open-signaling.ts";
import { payloadMessage, protobufMessage } from "./outgoing.ts";
import { checkOther, parsePeer } from "./peer-argument.ts";
import { createTally } from "./publish-tally.ts";
import { type Line, readLines } from "./read-lines.ts";
import { caOption, keyFileOption, maxEnvelopeBytesOption, signalingOptions } from "./shared-options.ts";
import { UsageError } from "./usage-error.ts";

/** Messages that are under way at a time: enough to fill a slow line, few enough to stop soon after a failure. */
const maxInFlight = 32;
const defaultEnvelopeBytes = 65_536;

export const publish: Command = defineCommand({
  name: "publish",
  summary: "send messages to a peer",
  positionals: ["PEER"],
  options: {
    key: keyFileOption,
    ...signalingOptions,
    delivered: {
      help: "wait until the peer has taken each message, and fail if it does\nnot; without it, a message is done when the relay has it",
    },
    timeout: { value: "SECONDS", help: "how long to try for each message (30)" },
    message: { help: "lines are protobuf JSON of cunicu.signaling.Message, as cunīcu\nuses it, and not payloads" },
    group: { help: "PEER is a key that several members hold" },
    ca: caOption,
    "max-envelope-bytes": maxEnvelopeBytesOption,
  },
  about: [
    "Reads stdin line by line, each line one JSON value, and sends it to the peer with\nthe public key PEER, sealed so that only that peer can read it. Lines are sent in\ntheir order, several at a time. The first line that fails ends it; the error says\nwhich one it was, and how many before it went out.",
    "Without --delivered nothing tells whether anybody got the message: the relay keeps\nnone for peers that are not subscribed.",
  ],
  examples: [
    `echo '{"hello":"world"}' | wice publish "$PEER" --key alice.key \\`,
    "  --relay http://127.0.0.1:8080 --delivered",
    `echo '{"credentials":{"needCreds":true}}' | wice publish "$PEER" --message \\`,
    "  --key alice.key --relay 'grpc://127.0.0.1:8080?insecure=true'",
  ],
  async run(invocation) {
    const { positionals, options, io, notes, signal } = invocation;
    const theirs = parsePeer("PEER", positionals[0] ?? "");
    const timeoutMs = parseSeconds("timeout", options.timeout) ?? 30_000;
    const maxEnvelopeBytes = parseCount("max-envelope-bytes", options["max-envelope-bytes"]) ?? defaultEnvelopeBytes;
    if (options.group && options.delivered) {
      throw new UsageError("--delivered and --group exclude each other: a group key has no receipts");
    }
    const relay = await openSignaling(options, { maxEnvelopeBytes, notes, signal });
    const ours = await readKeyOption(options.key, io, { signal, stdinIsFree: false });
    checkOther("PEER", theirs, ours.publicKey);
    const transport = observeTransport(relay, patience(invocation, timeoutMs, options.delivered));
    const backend = createBackend(transport, { maxEnvelopeBytes });
    const job: Job = {
      ...{ backend, transport, maxEnvelopeBytes, timeoutMs },
      pair: { ours, theirs },
      parse: options.message ? protobufMessage : payloadMessage,
      until: options.delivered ? "delivered" : "accepted",
      group: options.group,
    };
    try {
      return await publishLines(job, invocation);
    } finally {
      await backend.close();
    }
  },
});

interface Job {
  readonly backend: Backend;
  readonly transport: ObservedTransport;
  readonly pair: KeyPair;
  readonly parse: (line: Line) => MessageInit;
  readonly until: "accepted" | "delivered";
  readonly group: boolean;
  readonly timeoutMs: number;
  readonly maxEnvelopeBytes: number;
}

async function publishLines(job: Job, { io, notes, signal }: Context): Promise<number> {
  const { backend, transport, pair, parse, until, group, timeoutMs } = job;
  if (io.stdin.isTTY === true) await notes.line("type JSON values, one per line; Ctrl-D ends");
  const tally = createTally(until);
  const failure = new AbortController();
  const inFlight = createInFlight(maxInFlight, (error) => failure.abort(error));
  // A line may have more space in it than what is sent of it.
  const lines = readLines(io.stdin, {
    signal: AbortSignal.any([signal, failure.signal]),
    maxBytes: 16 * job.maxEnvelopeBytes,
  });
  const send = async (line: Line, message: MessageInit): Promise<void> => {
    try {
      tally.add(line.number, await backend.publish(pair, message, { until, group, timeoutMs, signal }));
    } catch (error) {
      throw lineError(line, error, transport.failure, timeoutMs);
    }
  };
  try {
    for await (const line of lines) {
      if (line.text.trim() === "") continue;
      const message = parse(line);
      await inFlight.start(() => send(line, message));
    }
  } catch (error) {
    signal.throwIfAborted();
    inFlight.fail(error);
  }
  const error = await inFlight.settled();
  signal.throwIfAborted();
  if (error === undefined) {
    if (tally.count === 0) throw new WiceError("invalid-argument", "stdin held no line: nothing was published");
    for (const text of tally.summary(pair.theirs)) await notes.line(text);
    return exitCode.ok;
  }
  if (tally.count > 0) await notes.line(`before the failure: ${tally.summary(pair.theirs)[0]}`);
  throw error;
}

/** What went wrong with a line, in words that say which one. */
function lineError({ number }: Line, error: unknown, failure: WiceError | undefined, timeoutMs: number): unknown {
  if (!isWiceError(error)) return error;
  const { code } = error;
  const inVain = failure !== undefined && (code === "unavailable" || code === "not-delivered");
  const text = inVain ? `${grievance(failure)} for ${timeoutMs / 1000} s: ${failure.message}` : error.message;
  return new WiceError(code, `line ${number}: ${text}`, { cause: error });
}

function grievance({ code }: WiceError): string {
  return code === "unavailable" ? "the relay could not be reached" : "the relay refused";
}

/** Tells a person at most once each what is being waited for. */
function patience({ notes }: Context, timeoutMs: number, delivered: boolean): Parameters<typeof observeTransport>[1] {
  const trying = `trying for ${timeoutMs / 1000} s (--timeout)`;
  const onRetry = once((error: WiceError) => notes.line(`${trying}: ${error.message}`));
  if (!delivered) return { onRetry };
  return { onRetry, onNobody: once(() => notes.line(`${trying}: nobody is subscribed to that key yet`)) };
}
