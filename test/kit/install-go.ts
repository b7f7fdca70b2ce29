/**
 * Finds Go, or installs it without a package manager: the Go module proxy serves whole toolchains as modules, from
 * where the go command itself takes them. One HTTPS download, checked against the same sums that go.sum files hold,
 * unpacked into the user's cache folder. Runs on plain Node, with its standard library only.
 */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { inflateRaw } from "node:zlib";

/** What is installed where no Go is good enough. */
const version = "1.26.8";

/**
 * The module sums (`h1:`) of golang.org/toolchain by platform, as the checksum database has them. To renew them:
 * `go mod download -json golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64`.
 */
const sums: Readonly<Record<string, string>> = {
  "darwin-amd64": "h1:7/9KPPN8PckcA9s91hm2jmQMhzW4KyTJXHIs45L0C9M=",
  "darwin-arm64": "h1:dFjGhY6f8DTsY8/rLchUTDRRfjJP4pCrGCwxvHFT2Fg=",
  "linux-amd64": "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=",
  "linux-arm64": "h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=",
};

/** The Go that test/go needs at least, from its go.mod. */
const goMod = join(import.meta.dirname, "..", "go", "go.mod");

/** Prints one line of progress. */
export type Say = (line: string) => void;

/**
 * The path of a `go` that can build the Go peer: the machine's, an earlier installation of ours, or one that it
 * installs now. Rejects with what to do when that is not possible here.
 */
export async function ensureGo(say: Say = (line) => process.stderr.write(`${line}\n`)): Promise<string> {
  const found = await findGo();
  if (found !== undefined) return found;
  const platform = `${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`;
  const sum = sums[platform];
  if (sum === undefined) {
    throw new Error(
      `no Go ${await requiredVersion()} or newer, and none to install for ${platform}: see https://go.dev/dl`,
    );
  }
  const root = cacheFolder();
  const name = `golang.org/toolchain@v0.0.1-go${version}.${platform}`;
  say(`go: downloading Go ${version} for ${platform} (about 70 MB)`);
  const zip = await download(`golang.org/toolchain/@v/v0.0.1-go${version}.${platform}.zip`, say);
  say(`go: unpacking into ${root}`);
  await mkdir(dirname(root), { recursive: true });
  const unpacked = await mkdtemp(`${root}-`);
  try {
    const actual = await unzip(zip, `${name}/`, unpacked);
    if (actual !== sum) throw new Error(`the download of ${name} is not what it should be: ${actual}, not ${sum}`);
    await makeExecutable(join(unpacked, "bin"));
    await makeExecutable(join(unpacked, "pkg", "tool"));
    await rename(unpacked, root).catch(async (error: unknown) => {
      if ((await versionOf(join(root, "bin", "go"))) === undefined) throw error; // Else another process was faster.
    });
  } finally {
    await rm(unpacked, { recursive: true, force: true });
  }
  const go = await findGo();
  if (go === undefined) throw new Error(`Go ${version} was installed into ${root}, but does not run`);
  say(`go: installed Go ${version}`);
  return go;
}

/** The path of a `go` that is good enough, or undefined. Installs nothing. */
export async function findGo(): Promise<string | undefined> {
  const required = await requiredVersion();
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const folder of [...folders, "/usr/local/go/bin", join(cacheFolder(), "bin")]) {
    const go = join(folder, "go");
    const found = await versionOf(go);
    if (found !== undefined && compareVersions(found, required) >= 0) return go;
  }
  return undefined;
}

/** The least Go that test/go can be built with. */
export async function requiredVersion(): Promise<string> {
  const required = /^go (\S+)$/m.exec(await readFile(goMod, "utf8"))?.[1];
  if (required === undefined) throw new Error(`${goMod} has no go directive`);
  return required;
}

function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "wice", `go${version}`);
}

async function versionOf(go: string): Promise<string | undefined> {
  try {
    await access(go);
    // "local": its own version, not that of one which it would download by itself.
    const env = { ...process.env, GOTOOLCHAIN: "local" };
    const { stdout } = await promisify(execFile)(go, ["env", "GOVERSION"], { env });
    return /^go(\d+(?:\.\d+)*)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number)) as [number[], number[]];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** From the module proxies that GOPROXY names, or else Go's own. */
async function download(path: string, say: Say): Promise<Buffer> {
  const named = (process.env.GOPROXY ?? "").split(/[,|]/).filter((proxy) => /^https?:/.test(proxy));
  const proxies = named.length > 0 ? named : ["https://proxy.golang.org"];
  let cause: unknown;
  for (let attempt = 1; attempt <= 3; attempt++) {
    for (const proxy of proxies) {
      try {
        const response = await fetch(`${proxy.replace(/\/$/, "")}/${path}`, { signal: AbortSignal.timeout(300_000) });
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
        return Buffer.from(await response.arrayBuffer());
      } catch (error) {
        cause = error;
        say(`go: download failed (${error instanceof Error ? error.message : String(error)}), attempt ${attempt} of 3`);
      }
    }
  }
  throw new Error(
    `cannot download Go ${version}. Install Go ${await requiredVersion()} or newer (https://go.dev/dl), or, behind an HTTP proxy, set NODE_USE_ENV_PROXY=1`,
    { cause },
  );
}

/**
 * Unpacks a zip file below `folder`, without the prefix that every name in it has, and returns its module sum:
 * SHA-256 over the lines "SHA-256 of a file, two spaces, its name" (golang.org/x/mod/sumdb/dirhash, Hash1).
 */
async function unzip(zip: Buffer, prefix: string, folder: string): Promise<string> {
  const lines: string[] = [];
  const made = new Set<string>();
  for (const { name, method, data } of zipEntries(zip)) {
    const path = name.slice(prefix.length);
    if (!name.startsWith(prefix) || path.split("/").includes("..") || path.endsWith("/") || path === "") {
      throw new Error(`unexpected file in the zip: ${name}`);
    }
    if (method !== 0 && method !== 8) throw new Error(`unknown compression of ${name}`);
    const content = method === 0 ? data : await promisify(inflateRaw)(data);
    lines.push(`${createHash("sha256").update(content).digest("hex")}  ${name}\n`);
    const file = join(folder, path);
    if (!made.has(dirname(file))) await mkdir(dirname(file), { recursive: true });
    made.add(dirname(file));
    await writeFile(file, content);
  }
  // Sorted by name; all are ASCII.
  lines.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1));
  return `h1:${createHash("sha256").update(lines.join("")).digest("base64")}`;
}

/** The files of a zip by its central directory (APPNOTE 4.3.12), without ZIP64, which the toolchains do not need. */
function* zipEntries(zip: Buffer): Generator<{ name: string; method: number; data: Buffer }> {
  const end = zip.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  if (end < 0) throw new Error("not a zip file");
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const method = zip.readUInt16LE(at + 10);
    const packedBytes = zip.readUInt32LE(at + 20);
    const nameBytes = zip.readUInt16LE(at + 28);
    const header = zip.readUInt32LE(at + 42);
    const name = zip.toString("utf8", at + 46, at + 46 + nameBytes);
    const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
    yield { name, method, data: zip.subarray(start, start + packedBytes) };
    at += 46 + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
}

async function makeExecutable(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) await chmod(join(entry.parentPath, entry.name), 0o755);
  }
}
