import { expect, test } from "vitest";
import { createLoad } from "../bench/relay/load.ts";
import { someKey } from "../bench/relay/wire.ts";
import { startRelayProcess } from "../kit/relay-process.ts";

const envelopes = Number(process.env.WICE_SOAK_ENVELOPES ?? 1_000_000);
const megabyte = 1024 * 1024;

test(`${envelopes} envelopes through a relay leave its memory flat`, async () => {
  await using relay = await startRelayProcess();
  const load = await createLoad(relay.url, { bodyBytes: 200 });
  const rows: { readonly envelopes: number; readonly heapMB: number; readonly residentMB: number }[] = [];
  const part = envelopes / 10;
  for (let sent = part; sent <= envelopes; sent += part) {
    await load.publish(part, 64);
    // Keys that come and go must not leave anything behind either.
    for (let i = 0; i < 200; i++) {
      const visitor = await load.visit(someKey());
      visitor.reset();
    }
    const { heapBytes, residentBytes } = await relay.usage();
    rows.push({ envelopes: sent, heapMB: heapBytes / megabyte, residentMB: residentBytes / megabyte });
  }
  load.close();
  for (const { envelopes: sent, heapMB, residentMB } of rows) {
    console.log(
      `${String(sent).padStart(9)} envelopes: heap ${heapMB.toFixed(1)} MB, resident ${residentMB.toFixed(1)} MB`,
    );
  }
  // From the second tenth on: the first fills caches and lets the compiler finish.
  const [early, late] = [rows[1], rows.at(-1)];
  expect((late?.heapMB ?? Number.NaN) - (early?.heapMB ?? 0)).toBeLessThan(4);
}, 600_000);
