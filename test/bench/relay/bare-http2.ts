/**
 * What Connect and gRPC-Web over HTTP/2 are measured against: bare `node:http2`, which answers the same bytes as the
 * relay and writes the same envelope to the stream that listens. Nothing is read, checked, counted or bounded.
 */

import { createServer, type ServerHttp2Stream } from "node:http2";
import { type Answers, answersVariable } from "./answers.ts";
import { reportTo } from "./report.ts";

const { unary, streamHeaders, envelopeBase64 }: Answers = JSON.parse(process.env[answersVariable] ?? "");
const body = Buffer.from(unary.bodyBase64, "base64");
const envelope = Buffer.from(envelopeBase64, "base64");
let listener: ServerHttp2Stream | undefined;

const server = createServer({ settings: { maxConcurrentStreams: 100_000 }, maxSessionMemory: 1_024 });
server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  stream.resume();
  if (headers[":path"]?.endsWith("/Publish") === true) {
    stream.respond({ ":status": 200, ...unary.headers });
    stream.end(body);
    listener?.write(envelope);
    return;
  }
  listener = stream;
  stream.respond({ ":status": 200, ...streamHeaders });
  stream.write(Buffer.alloc(5));
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) reportTo(process, address.port);
});
