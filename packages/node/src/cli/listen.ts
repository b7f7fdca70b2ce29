/** `wice listen` */

import { createBackend, createPeer, type PublicKey } from "@wice/core";
import { abortable } from "@wice/core/transport";
import { type Command, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { readKeyOption } from "./key-option.ts";
import { openSignaling } from "./open-signaling.ts";
import { parsePeer } from "./peer-argument.ts";
import { openCarrier } from "./session-carrier.ts";
import { openAgents, sessionOptions } from "./session-options.ts";
import { reportEnd, reportFailure, reportProgress } from "./session-progress.ts";
import { caOption, keyFileOption, signalingOptions } from "./shared-options.ts";

export const listen: Command = defineCommand({
  name: "listen",
  summary: "wait for a peer to connect, and carry stdin and stdout",
  positionals: [],
  options: {
    key: keyFileOption,
    ...signalingOptions,
    allow: {
      value: "PEER",
      multiple: true,
      help: "let only the peer with this public key in; may be repeated\n(anybody who knows our public key and the relay)",
    },
    ...sessionOptions,
    ca: caOption,
  },
  about: [
    "Waits until a peer connects, carries stdin to it and what it sends to stdout, and\nends with the session. Only one peer is taken; others are turned away.",
    "Whoever is let in learns the addresses of this machine.",
  ],
  examples: [
    "wice listen --key bob.key --relay http://127.0.0.1:8080 > copy",
    'wice listen --allow "$(wice key public --key alice.key)" --key bob.key \\\n  --relay https://relay.example.org',
  ],
  async run({ options, io, notes, signal }) {
    const allowed = new Set(options.allow.map((text) => parsePeer("--allow", text).toString()));
    const relay = await openSignaling(options, { maxEnvelopeBytes: undefined, notes, signal });
    const privateKey = await readKeyOption(options.key, io, { signal, stdinIsFree: options.udp !== undefined });
    const agents = await openAgents(options, privateKey.publicKey, signal);
    const carrier = await openCarrier({ ...options, io, notes });
    const backend = createBackend(relay);
    let takenBy: string | undefined;
    // The one that we have may come again, after a restart.
    const accept = (key: PublicKey): boolean =>
      takenBy === undefined ? allowed.size === 0 || allowed.has(key.toString()) : key.toString() === takenBy;
    const peer = createPeer({ privateKey, backend, agents, accept });
    const reported = reportProgress(peer, notes, { json: options.json });
    try {
      if (!options.json) await notes.line(`listening as ${privateKey.publicKey}`);
      const incoming = peer.incoming[Symbol.asyncIterator]();
      const { value: session } = await abortable(incoming.next(), signal);
      if (session === undefined) return exitCode.failed;
      takenBy = session.remote.toString();
      // Who was let in at the same moment is turned away.
      await incoming.return?.();
      if (!options.json) await notes.line(`${notes.style.green("connected")} to ${session.remote}`);
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
