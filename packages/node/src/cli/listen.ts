/** `wice listen` */

import { createBackend, createPeer, type PublicKey, type Session } from "@wice/core";
import { attend } from "./attend.ts";
import { type Command, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { readKeyOption } from "./key-option.ts";
import { openSignaling } from "./open-signaling.ts";
import { checkOther, parsePeer } from "./peer-argument.ts";
import { carryToEnd, openCarrier } from "./session-carrier.ts";
import { openAgents, sessionOptions } from "./session-options.ts";
import { reportDeclined, reportEnd, reportFailure, reportProgress } from "./session-progress.ts";
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
    "Waits until a peer connects, carries stdin to it and what it sends to stdout, and\nends with the session. Only one peer is taken at a time; others are turned away.\nWith --udp it goes on until it is stopped: when a session has ended, the next\npeer may come.",
    "Whoever is let in learns the addresses of this machine.",
  ],
  examples: [
    "wice listen --key bob.key --relay http://127.0.0.1:8080 > copy",
    'wice listen --allow "$(wice key public --key alice.key)" --key bob.key \\\n  --relay https://relay.example.org',
  ],
  async run({ options, io, notes, signal }) {
    const friends = options.allow.map((text) => parsePeer("--allow", text));
    const allowed = new Set(friends.map((key) => key.toString()));
    const relay = await openSignaling(options, { maxEnvelopeBytes: undefined, notes, signal });
    const privateKey = await readKeyOption(options.key, io, { signal, stdinIsFree: options.udp !== undefined });
    for (const friend of friends) checkOther("--allow", friend, privateKey.publicKey);
    const agents = await openAgents(options, privateKey.publicKey, signal);
    const carrier = await openCarrier({ ...options, io, notes });
    const backend = createBackend(relay);
    const tellDeclined = reportDeclined(notes, options.json);
    let takenBy: string | undefined;
    const accept = (key: PublicKey): boolean => {
      const caller = key.toString();
      // The one that we have may come again, after a restart.
      if (caller === takenBy) return true;
      if (allowed.size > 0 && !allowed.has(caller)) tellDeclined(key, "it is not among those of --allow");
      else if (takenBy !== undefined) tellDeclined(key, "there is a session with another peer");
      else return true;
      return false;
    };
    const peer = createPeer({ privateKey, backend, agents, accept });
    const reported = reportProgress(peer, notes, { json: options.json });
    try {
      if (!options.json) await notes.line(`listening as ${privateKey.publicKey}`);
      const take = async (session: Session): Promise<boolean> => {
        takenBy = session.remote.toString();
        if (!options.json) await notes.line(`${notes.style.green("connected")} to ${session.remote}`);
        const end = await carryToEnd(carrier, session, signal);
        const next = carrier.lasts ? { next: "the next call is waited for" } : {};
        await reportEnd(end, notes, { json: options.json, ...next });
        takenBy = undefined;
        return carrier.lasts;
      };
      await attend(peer, take, signal);
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
