/** The same as `bare-http2.ts` for HTTP/1.1: bare `node:http`. */

import { createServer, type ServerResponse } from "node:http";
import { type Answers, answersVariable } from "./answers.ts";
import { reportTo } from "./report.ts";

const { unary, streamHeaders, envelopeBase64 }: Answers = JSON.parse(process.env[answersVariable] ?? "");
const body = Buffer.from(unary.bodyBase64, "base64");
const envelope = Buffer.from(envelopeBase64, "base64");
let listener: ServerResponse | undefined;

const server = createServer((request, response) => {
  request.resume();
  if (request.url?.endsWith("/Publish") === true) {
    response.writeHead(200, unary.headers);
    response.end(body);
    listener?.write(envelope);
    return;
  }
  listener = response;
  response.writeHead(200, streamHeaders);
  response.write(Buffer.alloc(5));
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) reportTo(process, address.port);
});
