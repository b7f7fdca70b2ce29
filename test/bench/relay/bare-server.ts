/** Starts the bare program that does with one protocol what the relay does, and no more. */

import { answersVariable, recordAnswers } from "./answers.ts";
import { type MeasuredServer, startServer } from "./measured-server.ts";
import { envelopeTo, grpc, someKey, type Wire } from "./wire.ts";

/** @param relayUrl a relay, whose answers it gives */
export async function startBareServer(relayUrl: string, wire: Wire, bodyBytes: number): Promise<MeasuredServer> {
  if (wire === grpc) {
    return startServer("./baseline-server.ts", { ENVELOPE_BYTES: String(envelopeTo(someKey(), bodyBytes).length) });
  }
  const answers = JSON.stringify(await recordAnswers(relayUrl, wire, bodyBytes));
  return startServer(wire.http === "2" ? "./bare-http2.ts" : "./bare-http1.ts", { [answersVariable]: answers });
}
