/**
 * What the relay is measured against: the least that bare `node:http2` must do for a publication. One POST is answered
 * with an empty gRPC message and trailers, and one DATA frame goes to the stream that subscribed. Nothing is read,
 * checked, counted or bounded.
 */

import { createServer, type ServerHttp2Stream } from "node:http2";
import { reportTo } from "./report.ts";

const answer = Buffer.alloc(5);
const frame = Buffer.alloc(5 + Number(process.env.ENVELOPE_BYTES));
frame.writeUInt32BE(frame.length - 5, 1);
let subscriber: ServerHttp2Stream | undefined;

const server = createServer({ settings: { maxConcurrentStreams: 100_000 }, maxSessionMemory: 1_024 });
server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  stream.resume();
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  if (headers[":path"]?.endsWith("/Publish") !== true) {
    subscriber = stream;
    stream.write(answer);
    return;
  }
  stream.end(answer);
  subscriber?.write(frame);
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) reportTo(process, address.port);
});
