/** `Publish`: one envelope to the server, and how many subscribers it reached. */

import { fromBinary } from "@bufbuild/protobuf";
import { type TransportReceipt, WiceError } from "@wice/core";
import { PublishResultSchema } from "@wice/core/wire";
import type { Connection } from "./connection.ts";
import { callUnary, type UnaryCall } from "./unary.ts";

/** Far more than a server has to say about one envelope. */
const maxAnswerBytes = 4096;

export async function publish(
  connection: Connection,
  call: Omit<UnaryCall, "maxAnswerBytes">,
): Promise<TransportReceipt> {
  const answer = await callUnary(connection, { ...call, maxAnswerBytes });
  // Upstream's servers answer an empty message.
  if (answer.length === 0) return {};
  try {
    const { subscribers } = fromBinary(PublishResultSchema, answer);
    return subscribers === undefined ? {} : { subscribers };
  } catch (cause) {
    throw new WiceError("protocol", `${connection.where} answered a publish with garbage`, { cause });
  }
}
