import { privateKeyFromPassphrase } from "@wice/core/passphrase";
import { expect, test } from "vitest";
import { rejectionOf } from "./support/errors.ts";
import { vectors } from "./support/vectors.ts";

test("a passphrase gives the key that cunicu derives of it", async () => {
  const known = vectors.passphrases.at(-1);
  const key = await privateKeyFromPassphrase(known?.passphrase ?? "");
  expect(Buffer.from(key.exportKey()).toString("base64")).toBe(known?.privateKey);
  expect(key.publicKey.toString()).toBe(known?.publicKey);
});

test("deriving a key ends when aborted, before and mid-way, with the signal's reason", async () => {
  const reason = new Error("enough");
  expect(await rejectionOf(privateKeyFromPassphrase("x", { signal: AbortSignal.abort(reason) }))).toBe(reason);
  const controller = new AbortController();
  const deriving = rejectionOf(privateKeyFromPassphrase("x", { signal: controller.signal }));
  setTimeout(() => controller.abort(reason), 5);
  const start = performance.now();
  expect(await deriving).toBe(reason);
  const abortedMs = performance.now() - start;
  const whole = performance.now();
  await privateKeyFromPassphrase("x");
  expect(abortedMs).toBeLessThan((performance.now() - whole) * 0.8);
});
