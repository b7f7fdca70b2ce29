/** Certificates for servers under test. */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** In PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A self-signed certificate for localhost, 127.0.0.1, ::1 and these addresses, good for a day; it is its own authority. */
export async function createCertificate(...addresses: readonly string[]): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), "wice-certificate-"));
  try {
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
    const more = addresses.map((address) => `,IP:${address}`).join("");
    const names = ["-subj", "/CN=localhost", "-addext", `subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1${more}`];
    await promisify(execFile)("openssl", ["req", ...kind, ...names, "-out", cert, "-keyout", key]);
    return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
