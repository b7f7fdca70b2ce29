/** A certificate for a server under test. */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Self-signed, for one name, which is localhost unless told otherwise; PEM. */
export async function certificateFor(name = "localhost"): Promise<{ cert: string; key: string }> {
  const folder = await mkdtemp(join(tmpdir(), "wice-tls-"));
  try {
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`, "-days", "2"];
    await promisify(execFile)("openssl", ["req", "-x509", ...curve, ...subject, "-out", cert, "-keyout", key]);
    return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
  } finally {
    await rm(folder, { recursive: true });
  }
}
