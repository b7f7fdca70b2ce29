/** Many peers in one page, each with a backend of its own, by way of one relay on plain HTTP. */

import { createRelay } from "@wice/node/relay";
import { expect } from "vitest";
import { test } from "./browser-test.ts";

const size = 30;

test("30 peers in one page each call the next, and leave nothing behind", { timeout: 120_000 }, async ({ open }) => {
  await using relay = await createRelay();
  await using page = await open();
  const before = await page.call("leftovers");
  const startMs = performance.now();
  const opened = await Promise.all(
    Array.from({ length: size }, (_, i) =>
      page.call("openWhole", `peer ${i}`, { relay: relay.url, key: `peer ${i}`, accept: true }),
    ),
  );
  const keys = opened.map(({ publicKey }) => publicKey);
  const keyAfter = (i: number): string => keys[(i + 1) % size] as string;
  await Promise.all(keys.map((_, i) => page.call("connect", `peer ${i}`, keyAfter(i))));
  console.log(`${size} peers in one page, ${size} sessions: ${Math.round(performance.now() - startMs)} ms`);
  expect((await page.call("leftovers")).connections).toBe(2 * size);
  await Promise.all(keys.map((_, i) => page.call("say", `peer ${i}`, keyAfter(i), `from ${i}`)));
  const heard = await Promise.all(keys.map((_, i) => page.call("untilSaid", `peer ${(i + 1) % size}`, `from ${i}`)));
  expect(heard.map(({ from }) => from)).toEqual(keys);
  await Promise.all(keys.map((_, i) => page.call("closeWhole", `peer ${i}`)));
  expect(await page.call("leftovers")).toEqual(before);
});
