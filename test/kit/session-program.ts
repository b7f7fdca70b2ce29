/** A Node process with sessions: does what its parent asks for. */

import { createBackend, type EnvelopeTransport, parsePrivateKey } from "@wice/core";
import { generatePrivateKey, nodeTransports, readKeyFile } from "@wice/node";
import type { OpenOptions } from "./session-functions.ts";
import { createSessionFunctions, type PeerConnectionConstructor } from "./session-peer.ts";

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

export type Answer = { readonly id: number } & (
  | { readonly value: unknown }
  | { readonly error: { readonly message: string; readonly code?: string | undefined } }
);

let envelopes = 0;

const functions = createSessionFunctions({
  async openBackend({ relay, privateKey, keyFile }) {
    return { privateKey: await openKey({ privateKey, keyFile }), backend: createBackend(counted(open(relay))) };
  },
  findWebRtc,
  counts: () => ({
    envelopes,
    timers: process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length,
    listeners: 0,
  }),
});
const byName = new Map<string, (...args: unknown[]) => unknown>(Object.entries(functions));

process.on("message", async ({ id, name, args }: Question) => {
  const answer = (what: { value: unknown } | { error: { message: string; code?: string | undefined } }): void => {
    process.send?.({ id, ...what });
  };
  try {
    answer({ value: await byName.get(name)?.(...args) });
  } catch (error) {
    const { message, code } = error as Error & { readonly code?: string };
    answer({ error: { message, code } });
  }
});
// Whoever asked is gone.
process.once("disconnect", () => process.exit());

function open(relay: string): EnvelopeTransport {
  return nodeTransports().open(relay);
}

function counted(transport: EnvelopeTransport): EnvelopeTransport {
  return {
    publish(envelope, options) {
      envelopes += 1;
      return transport.publish(envelope, options);
    },
    subscribe: (recipient, options) => transport.subscribe(recipient, options),
    close: () => transport.close(),
  };
}

async function openKey({ privateKey, keyFile }: { privateKey: string | undefined; keyFile: string | undefined }) {
  if (keyFile !== undefined) return await readKeyFile(keyFile);
  return privateKey === undefined ? generatePrivateKey() : parsePrivateKey(privateKey);
}

async function findWebRtc(name: OpenOptions["webrtc"]): Promise<PeerConnectionConstructor> {
  // Their types want a browser around them.
  const module: string = name === "werift" ? name : "node-datachannel/polyfill";
  return ((await import(module)) as { readonly RTCPeerConnection: PeerConnectionConstructor }).RTCPeerConnection;
}
