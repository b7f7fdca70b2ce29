/** What is in an envelope, in words: for the recipients that live in this page. */

import { decodeMessage, type Envelope, isWiceError, type Message, open, type PrivateKey } from "@wice/core";
import { count, hex, short } from "./text.ts";

export interface OpenedMessage {
  /** One word or two. */
  readonly kind: string;
  /** In the order in which they are shown. */
  readonly fields: readonly (readonly [name: string, text: string])[];
}

/** Undefined when it does not open: forged, or damaged. */
export async function openMessage(recipient: PrivateKey, envelope: Envelope): Promise<OpenedMessage | undefined> {
  try {
    const message = decodeMessage(await open(recipient, envelope));
    return { kind: kindOf(message), fields: [...contentFields(message), ...headerFields(message)] };
  } catch (error) {
    if (isWiceError(error)) return undefined;
    throw error;
  }
}

function kindOf({ payload, receipt, session, credentials, candidate, peer, pske, header }: Message): string {
  if (payload !== undefined) return "message";
  if (session !== undefined) return session.close === undefined ? sessionKind(session.kind) : "end";
  if (credentials !== undefined) return "credentials";
  if (candidate !== undefined) return "candidate";
  if (pske !== undefined) return "pre-shared key";
  if (receipt !== undefined) return "receipt";
  if (peer !== undefined) return "peer";
  return header?.acknowledge === true ? "who is there?" : "empty";
}

function sessionKind(kind: number): string {
  return ["session", "hello", "offer", "answer"][kind] ?? "session";
}

function sessionFields({ session }: Message): [string, string][] {
  if (session === undefined) return [];
  const { epoch, sessionId, candidates, candidatesComplete, received, close, agents, sdp } = session;
  const more = candidatesComplete ? ", and no more will come" : "";
  const fields: [string, string][] = [
    ["Session", instance(sessionId)],
    ["Epoch", `${epoch}`],
    ["Agents", agents.join(", ")],
    ["Candidates", candidates.map(({ address, port }) => `${address}:${port}`).join(", ") || "none"],
    ["How many", `${candidates.length}${more}`],
    ["Has of the other", received === undefined ? "nothing" : `${count(received.candidates, "candidate")}`],
  ];
  if (sdp !== "") fields.push(["SDP", `${sdp.length} characters, with the fingerprint of its certificate`]);
  if (close !== undefined) fields.push(["End", close.reason]);
  return fields;
}

function contentFields(message: Message): [string, string][] {
  const { payload, receipt, header } = message;
  const fields = sessionFields(message);
  if (payload !== undefined) fields.push(["Message", new TextDecoder().decode(payload)]);
  if (receipt !== undefined) {
    const taken = `${count(receipt.sequences.length, "message")} of instance ${instance(receipt.instance)}`;
    fields.push(["Receipt for", `${taken}: number ${receipt.sequences.join(", ")}`]);
  }
  if (payload === undefined && receipt === undefined && header?.acknowledge === true) {
    fields.push(["Question", "which instance of this key is there? The receipt will say."]);
  }
  return fields;
}

function headerFields({ header }: Message): [string, string][] {
  if (header === undefined) return [["Header", "none: the sender speaks no wice, only cunīcu"]];
  const to = header.recipientInstance.length === 0 ? "any" : instance(header.recipientInstance);
  return [
    ["Sender’s role", ["not said", "controlling", "controlled"][header.senderRole] ?? "unknown"],
    ["From instance", instance(header.instance)],
    ["To instance", to],
    ["Number", `${header.sequence}`],
    ["Wants a receipt", header.acknowledge ? "yes" : "no"],
  ];
}

function instance(bytes: Uint8Array): string {
  return short(hex(bytes).replaceAll(" ", ""));
}
