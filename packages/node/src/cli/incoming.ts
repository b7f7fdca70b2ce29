/** From a message received to a line of output. */

import { toJsonString } from "@bufbuild/protobuf";
import type { Message, ReceivedMessage } from "@wice/core";
import { MessageSchema } from "@wice/core/wire";
import { showJson, tryCompactJson } from "./json-text.ts";
import type { Style } from "./output.ts";

/** For people: who sent it, whether it is fresh, and what it says. */
export function formatText(received: ReceivedMessage, style: Style): string {
  const { sender, fresh } = received;
  const { kind, json } = content(received.message);
  const shown = kind === "payload" ? json : `${kind} ${json}`;
  return `${style.dim(sender.toString())}  ${fresh ? style.green("fresh") : style.dim("-    ")}  ${showJson(shown)}`;
}

/** For programs: one object. */
export function formatJson(received: ReceivedMessage): string {
  const { sender, instance, fresh, downgraded } = received;
  const { kind, json } = content(received.message);
  const about = JSON.stringify({ sender, instance: instance ?? null, fresh, ...(downgraded && { downgraded }) });
  // Joined as text: a payload's numbers keep all their digits.
  return showJson(`${about.slice(0, -1)},"${kind}":${json}}`);
}

interface Content {
  readonly kind: "payload" | "payloadBase64" | "message";
  readonly json: string;
}

/** A payload that stands alone is shown as what it is: JSON, or bytes. */
function content({ header, receipt, ...message }: Message): Content {
  const { payload } = message;
  if (payload === undefined || hasMore(message)) return { kind: "message", json: toJsonString(MessageSchema, message) };
  const json = tryCompactJson(decode(payload) ?? "");
  if (json !== undefined) return { kind: "payload", json };
  return { kind: "payloadBase64", json: JSON.stringify(Buffer.from(payload).toString("base64")) };
}

/** An empty `peer` says nothing: it is in every message to a group, for Go daemons' sake. */
function hasMore({ credentials, candidate, peer, pske, session }: Omit<Message, "header" | "receipt">): boolean {
  const named = peer !== undefined && (peer.name !== "" || peer.publicKey.length > 0 || peer.change !== 0);
  return named || [credentials, candidate, pske, session].some((field) => field !== undefined);
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
