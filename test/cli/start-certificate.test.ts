/** The certificate of `npm start -- --https`: a device accepts it once, so it changes only when it must. */

import { X509Certificate } from "node:crypto";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as plainTest } from "vitest";
import { openCertificate } from "../../playground/server/certificate.ts";

const dayMs = 86_400_000;
const names = ["localhost", "127.0.0.1", "::1", "192.168.1.20"];

const test = plainTest.extend(
  "file",
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern what a fixture needs.
  async ({}, { onCleanup }) => {
    const folder = await mkdtemp(join(tmpdir(), "wice-certificate-"));
    onCleanup(() => rm(folder, { recursive: true }));
    return join(folder, "cache", "certificate.pem");
  },
);

test("it names this machine, is good for a year and not for longer than Safari takes", async ({ file }) => {
  const { cert, key, fingerprint } = await openCertificate(file, names);
  const parsed = new X509Certificate(cert);
  expect(parsed.checkHost("localhost")).toBe("localhost");
  for (const address of names.slice(1)) expect(parsed.checkIP(address)).toBe(address);
  expect(parsed.checkIP("192.168.1.21")).toBeUndefined();
  expect(parsed.validFromDate.getTime()).toBeLessThan(Date.now());
  const lifetimeDays = (parsed.validToDate.getTime() - parsed.validFromDate.getTime()) / dayMs;
  expect(lifetimeDays).toBeGreaterThan(365);
  expect(lifetimeDays).toBeLessThan(398);
  expect(parsed.fingerprint256).toBe(fingerprint);
  expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
});

test("its file can be read by its owner alone, and nothing else is left beside it", async ({ file }) => {
  await openCertificate(file, names);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(file, ".."))).toEqual(["certificate.pem"]);
});

test("it is kept until a month before its end, and then renewed", async ({ file }) => {
  const first = await openCertificate(file, names);
  const later = (days: number): Date => new Date(Date.now() + days * dayMs);
  expect(await openCertificate(file, names, later(360))).toEqual(first);
  const renewed = await openCertificate(file, names, later(370));
  expect(renewed.fingerprint).not.toBe(first.fingerprint);
  expect(await openCertificate(file, names, later(400))).toEqual(renewed);
});

test("a new address makes a new one, and one that was known before does not", async ({ file }) => {
  const home = await openCertificate(file, names);
  const office = ["localhost", "127.0.0.1", "::1", "10.0.0.7"];
  const both = await openCertificate(file, office);
  expect(both.fingerprint).not.toBe(home.fingerprint);
  expect(await openCertificate(file, names)).toEqual(both);
  expect(await openCertificate(file, office)).toEqual(both);
});

test("a file that holds something else is replaced", async ({ file }) => {
  const { cert } = await openCertificate(file, names);
  for (const text of ["", "no certificate", cert, cert.replace(/[A-Za-z]{5}/g, "AAAAA")]) {
    await writeFile(file, text);
    const made = await openCertificate(file, names);
    expect(new X509Certificate(made.cert).checkHost("localhost")).toBe("localhost");
    expect(await openCertificate(file, names)).toEqual(made);
  }
});
