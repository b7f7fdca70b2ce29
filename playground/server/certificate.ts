/** A certificate of this machine's own, so that other devices get a secure context. Made once, and kept. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { dirname } from "node:path";
import { generate } from "selfsigned";

/** In PEM. */
export interface LocalCertificate {
  readonly cert: string;
  readonly key: string;
  /** SHA-256, in pairs of hexadecimal digits: what a browser shows of it. */
  readonly fingerprint: string;
}

const dayMs = 86_400_000;
/** Safari takes no certificate that is good for longer than 825 days, and none of an authority for longer than 398. */
const lifetimeMs = 397 * dayMs;
const renewBeforeEndMs = 30 * dayMs;
/** The network of the office, the one at home, and some more: whoever goes back to one has accepted it already. */
const maxNames = 32;

/**
 * The certificate in the file, when it names all of these and is good for another month; otherwise a new one, which
 * takes its place. A device that has accepted it is asked again only for a new one.
 */
export async function openCertificate(
  file: string,
  names: readonly string[],
  now: Date = new Date(),
): Promise<LocalCertificate> {
  const kept = await readCertificate(file);
  if (kept !== undefined && isGood(kept.parsed, names, now)) return kept.certificate;
  const earlier = kept === undefined ? [] : namesOf(kept.parsed).filter((name) => !names.includes(name));
  const pem = await createPem([...names, ...earlier].slice(0, maxNames), now);
  await writePrivately(file, pem);
  const made = parsePem(pem);
  if (made === undefined) throw new Error("the certificate that was just made cannot be read");
  return made.certificate;
}

interface KeptCertificate {
  readonly certificate: LocalCertificate;
  readonly parsed: X509Certificate;
}

/** Undefined for a file that is not there, or holds something else. */
async function readCertificate(file: string): Promise<KeptCertificate | undefined> {
  try {
    return parsePem(await readFile(file, "utf8"));
  } catch {
    return undefined;
  }
}

function parsePem(pem: string): KeptCertificate | undefined {
  const [cert] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(pem) ?? [];
  const [key] = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/.exec(pem) ?? [];
  if (cert === undefined || key === undefined) return undefined;
  const parsed = new X509Certificate(cert);
  if (!parsed.checkPrivateKey(createPrivateKey(key))) return undefined;
  return { certificate: { cert, key, fingerprint: parsed.fingerprint256 }, parsed };
}

function isGood(certificate: X509Certificate, names: readonly string[], now: Date): boolean {
  const { validFromDate, validToDate } = certificate;
  if (validFromDate > now || validToDate.getTime() - now.getTime() < renewBeforeEndMs) return false;
  return names.every((name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined);
}

/** `DNS:localhost, IP Address:192.168.1.20` */
function namesOf({ subjectAltName = "" }: X509Certificate): readonly string[] {
  return subjectAltName.split(", ").map((entry) => entry.slice(entry.indexOf(":") + 1));
}

async function createPem(names: readonly string[], now: Date): Promise<string> {
  const { cert, private: key } = await generate([{ name: "commonName", value: "wice playground" }], {
    keyType: "ec",
    algorithm: "sha256",
    // Clocks of phones are sometimes behind.
    notBeforeDate: new Date(now.getTime() - dayMs),
    notAfterDate: new Date(now.getTime() - dayMs + lifetimeMs),
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: names.map((name) => (isIP(name) ? { type: 7, ip: name } : { type: 2, value: name })),
      },
    ],
  });
  return `${key.trim()}\n${cert.trim()}\n`;
}

/** In one step: another `npm start` may read it at the same time. */
async function writePrivately(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, file);
}
