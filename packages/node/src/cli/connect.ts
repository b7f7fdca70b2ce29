/** `wice connect` */

import { createBackend, createPeer, WiceError } from "@wice/core";
import { type Command, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { readKeyOption } from "./key-option.ts";
import { parseSeconds } from "./number-option.ts";
import { openSignaling } from "./open-signaling.ts";
import { checkOther, parsePeer } from "./peer-argument.ts";
import { openCarrier } from "./session-carrier.ts";
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
    "The end of stdin ends the session, once the peer has everything; an input that has\nnothing at all (< /dev/null) does not. A path that is lost is replaced; the relay\nis only needed to connect.",
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
    try {
      const patience = timeoutMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const session = await peer.connect(theirs, { signal: patience }).catch((error: unknown) => {
        signal.throwIfAborted();
        if (!patience.aborted) throw error;
        throw new WiceError("unavailable", `not connected in time: ${peer.explain(theirs).text}`);
      });
      if (!options.json) await notes.line(notes.style.green("connected"));
      await carrier.carry(session, signal);
      await reportEnd(await session.closed, notes, options.json);
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
