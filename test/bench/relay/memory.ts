/**
 * What the relay's process grows by for each subscription: on one connection, and on connections of their own (there
 * against bare `node:http2`, which keeps a stream open and does nothing else).
 *
 * `node --conditions=@wice/source test/bench/relay/memory.ts`
 */

import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { openStream, someKey, subscription } from "./load.ts";
import { type MeasuredServer, startServer } from "./measured-server.ts";

const [shared = 10_000, own = 1_000] = process.argv.slice(2).map(Number);

async function subscribe(session: ClientHttp2Session): Promise<void> {
  const stream = openStream(session, "Subscribe", subscription({ key: someKey() }));
  stream.on("error", () => {});
  await once(stream, "data");
}

/** Bytes by which the server's resident memory and heap grow, for each of `count` subscriptions. */
async function growth(
  server: MeasuredServer,
  count: number,
  open: (index: number) => ClientHttp2Session,
): Promise<number> {
  await subscribe(open(0));
  const before = await server.usage();
  for (let done = 1; done <= count; done += 500) {
    await Promise.all(Array.from({ length: Math.min(500, count - done + 1) }, (_, i) => subscribe(open(done + i))));
  }
  const after = await server.usage();
  console.log(`  heap and buffers ${((after.heapBytes - before.heapBytes) / count / 1024).toFixed(1)} KB`);
  return (after.residentBytes - before.residentBytes) / count / 1024;
}

for (const file of ["./relay-server.ts", "./baseline-server.ts"]) {
  const server = await startServer(file, { ENVELOPE_BYTES: "300" });
  const session = connect(server.url);
  console.log(
    `${file}: ${shared} streams on one connection: ${(await growth(server, shared, () => session)).toFixed(1)} KB each`,
  );
  session.destroy();
  await server.stop();
  const other = await startServer(file, { ENVELOPE_BYTES: "300" });
  const sessions: ClientHttp2Session[] = [];
  const each = await growth(other, own, () => {
    const mine = connect(other.url);
    sessions.push(mine);
    return mine;
  });
  console.log(`${file}: ${own} connections of their own: ${each.toFixed(1)} KB each`);
  for (const mine of sessions) mine.destroy();
  await other.stop();
}
