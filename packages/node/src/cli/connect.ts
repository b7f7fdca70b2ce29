/** `wice connect` */

import { setTimeout as wait } from "node:timers/promises";
import { createBackend, createPeer, type Session, WiceError } from "@wice/core";
import { type Command, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { readKeyOption } from "./key-option.ts";
import { parseSeconds } from "./number-option.ts";
import { openSignaling } from "./open-signaling.ts";
import { createPauses } from "./pauses.ts";
import { checkOther, parsePeer } from "./peer-argument.ts";
import { carryToEnd, openCarrier } from "./session-carrier.ts";
import { openAgents, sessionOptions } from "./session-options.ts";
import { reportEnd, reportFailure, reportProgress } from "./session-progress.ts";
import { caOption, keyFileOption, signalingOptions } from "./shared-options.ts";

export const connect: Command = defineCommand({
  name: "connect",
  summary: "connect to a peer, and carry stdin and stdout",
  positionals: ["PEER"],
  options: {
    key: keyFileOption,
    ...signalingOptions,
    ...sessionOptions,
    timeout: { value: "SECONDS", help: "how long to wait for the peer (for ever)" },
    ca: caOption,
  },
  about: [
    "Gets a direct connection with the peer that has the public key PEER, and carries\nstdin to it and what it sends to stdout. It waits for a peer that is not there yet,\nand says on stderr what it waits for.",
    "The end of stdin ends the session, once the peer has everything; an input that has\nnothing at all (< /dev/null) does not. A path that is lost is replaced; the relay\nis only needed to connect. With --udp it goes on until it is stopped: a peer that\nhas ended is called again.",
  ],
  examples: [
    "wice listen --key bob.key --relay http://127.0.0.1:8080 > copy",
    'wice connect "$(wice key public --key bob.key)" --key alice.key \\\n  --relay http://127.0.0.1:8080 < original',
  ],
  async run({ positionals, options, io, notes, signal }) {
    const theirs = parsePeer("PEER", positionals[0] ?? "");
    const timeoutMs = parseSeconds("timeout", options.timeout);
    const relay = await openSignaling(options, { maxEnvelopeBytes: undefined, notes, signal });
    const privateKey = await readKeyOption(options.key, io, { signal, stdinIsFree: options.udp !== undefined });
    checkOther("PEER", theirs, privateKey.publicKey);
    const agents = await openAgents(options, privateKey.publicKey, signal);
    const carrier = await openCarrier({ ...options, io, notes });
    const backend = createBackend(relay);
    const peer = createPeer({ privateKey, backend, agents });
    const reported = reportProgress(peer, notes, { key: theirs, json: options.json });
    const call = async (): Promise<Session> => {
      const patience = timeoutMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      return await peer.connect(theirs, { signal: patience }).catch((error: unknown) => {
        signal.throwIfAborted();
        if (!patience.aborted) throw error;
        throw new WiceError("unavailable", `not connected in time: ${peer.explain(theirs).text}`);
      });
    };
    const pauses = createPauses({ leastMs: 500, mostMs: 30_000 });
    try {
      for (;;) {
        const session = await call();
        if (!options.json) await notes.line(notes.style.green("connected"));
        const end = await carryToEnd(carrier, session, signal);
        // Another process of ours has taken over: it would be us against it.
        const again = carrier.lasts && end.cause !== "other-instance";
        await reportEnd(end, notes, { json: options.json, ...(again && { next: "it is called again" }) });
        if (!again) break;
        await wait(pauses.next(performance.now()), undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    } catch (error) {
      if (!options.json) throw error;
      await reportFailure(error, notes);
      return exitCode.failed;
    } finally {
      carrier.close();
      await peer.close();
      await backend.close();
      await reported;
    }
    return exitCode.ok;
  },
});
