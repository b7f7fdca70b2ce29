/** From a line of stdin to a message. */

import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { isWiceError, type MessageInit, WiceError } from "@wice/core";
import { MessageSchema } from "@wice/core/wire";
import { compactJson } from "./json-text.ts";
import type { Line } from "./read-lines.ts";

/** The line's JSON, compact, as the bytes of an application payload. */
export function payloadMessage(line: Line): MessageInit {
  return { payload: new TextEncoder().encode(compact(line)) };
}

/** The line as protobuf JSON of `cunicu.signaling.Message`. */
export function protobufMessage(line: Line): MessageInit {
  const json = JSON.parse(compact(line)) as JsonValue;
  try {
    return fromJson(MessageSchema, json);
  } catch {
    // What protobuf says quotes the value.
    const fields = MessageSchema.fields.map(({ jsonName }) => jsonName).filter((name) => !ours.includes(name));
    throw new WiceError(
      "invalid-argument",
      `line ${line.number} is not the protobuf JSON of a cunicu.signaling.Message; its fields are ${fields.join(", ")}`,
    );
  }
}

/** Fields that the backend writes. */
const ours: readonly string[] = ["header", "receipt"];

function compact({ number, text }: Line): string {
  try {
    return compactJson(text);
  } catch (error) {
    const why = isWiceError(error) ? error.message : "not JSON";
    throw new WiceError(
      "invalid-argument",
      `line ${number} is ${why}; each line is one JSON value: a text needs "quotes"`,
    );
  }
}
