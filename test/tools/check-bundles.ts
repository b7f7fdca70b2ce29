/**
 * What users' bundlers make of our packages: neutral ones reach nothing of Node's, nothing needs `eval`, what is not
 * used is not there, and what is used weighs no more than it may.
 */

import { isBuiltin } from "node:module";
import type { Plugin } from "rolldown";
import { type Bundle, bundle } from "./bundle.ts";
import { root } from "./command.ts";
import { publishedPackages } from "./workspace.ts";

/** The packages that must run in browsers, and what they must not reach beside Node's own modules. */
const neutral: Readonly<Record<string, RegExp>> = {
  "@wice/core": /^(@wice\/(node|web)|@connectrpc\/|@kubernetes\/|@nats-io\/|werift|node-datachannel)/,
  "@wice/web": /^(@wice\/node|@connectrpc\/connect-node|@kubernetes\/|@nats-io\/|werift|node-datachannel)/,
};

/** What a page may weigh at its start: minified, compressed, all dependencies counted. A kilobyte is 1,000 bytes. */
const budgets: readonly Budget[] = [
  { of: "PublicKey", from: "@wice/core", maxKilobytes: 3 },
  { of: "createBackend, createInProcessNetwork", from: "@wice/core", maxKilobytes: 32 },
  { of: "createBackend, createPeer", from: "@wice/core", maxKilobytes: 50 },
  { of: "openKeyStore", from: "@wice/web", maxKilobytes: 4 },
  { of: "createBroadcastTransport", from: "@wice/web", with: "createBackend", maxKilobytes: 32 },
  { of: "openBackend", from: "@wice/web", maxKilobytes: 48 },
  { of: "openBackend", from: "@wice/web", with: "createPeer", maxKilobytes: 66 },
  { of: "openPeer", from: "@wice/web", maxKilobytes: 70 },
];

interface Budget {
  readonly of: string;
  readonly from: string;
  /** Of `@wice/core`. */
  readonly with?: string;
  readonly maxKilobytes: number;
}

/** Ways to run text as code, which pages with a strict Content-Security-Policy refuse. */
const evaluation = /\beval\s*\(|\bFunction\s*\(/;

/** Resolves with the weights, in words. */
export async function checkBundles(): Promise<readonly string[]> {
  const flaws: string[] = [];
  for (const { manifest } of publishedPackages()) {
    const { name } = manifest;
    const forbidden = neutral[name];
    for (const subpath of Object.keys(manifest.exports ?? {})) {
      const entry = name + subpath.slice(1);
      const found = forbidden === undefined ? [] : await neutralityFlaws(entry, forbidden);
      found.push(...(await idleFlaws(entry, forbidden === undefined ? "node" : "browser")));
      flaws.push(...found.map((flaw) => `${entry}: ${flaw}`));
    }
  }
  const weights: string[] = [];
  for (const budget of budgets) {
    const made = await bundle(textOf(budget));
    weights.push(`${nameOf(budget)}: ${kilobytes(made.gzipBytes)} of ${budget.maxKilobytes} KB`);
    flaws.push(...weightFlaws(budget, made).map((flaw) => `${nameOf(budget)}: ${flaw}`));
  }
  if (flaws.length > 0) throw new Error(flaws.join("\n"));
  return weights;
}

/** Everything that stands in the way of all of the entry running in a browser. */
async function neutralityFlaws(entry: string, forbidden: RegExp): Promise<string[]> {
  const flaws: string[] = [];
  const gate: Plugin = {
    name: "gate",
    resolveId(id, importer) {
      if (!isBuiltin(id) && !forbidden.test(id)) return null;
      flaws.push(`${importer?.replace(root, "") ?? "?"} imports ${id}`);
      return { id, external: true };
    },
  };
  const { chunks, warnings } = await bundle(`export * from "${entry}";`, { plugins: [gate] });
  flaws.push(...warnings);
  if (chunks.every(({ code }) => code === "")) flaws.push("nothing was bundled");
  for (const { code } of chunks) {
    const [text] = evaluation.exec(code) ?? [];
    if (text !== undefined) flaws.push(`runs text as code: …${code.slice(code.indexOf(text) - 40).slice(0, 100)}…`);
  }
  return flaws;
}

/** A package that is imported and not used must leave nothing in the bundle. */
async function idleFlaws(entry: string, platform: "browser" | "node"): Promise<string[]> {
  const { chunks } = await bundle(`import "${entry}";`, { platform });
  return chunks
    .filter(({ modules }) => modules.size > 0 && [...modules.values()].some((bytes) => bytes > 0))
    .map(({ modules }) => `imported for nothing, it leaves ${[...modules.keys()].slice(0, 5).join(", ")}`);
}

function weightFlaws({ maxKilobytes }: Budget, { chunks, gzipBytes }: Bundle): string[] {
  const flaws: string[] = [];
  const modules = chunks.flatMap((chunk) => (chunk.initial ? [...chunk.modules] : []));
  if (gzipBytes > maxKilobytes * 1000) {
    const heaviest = modules.sort(([, a], [, b]) => b - a).slice(0, 8);
    const list = heaviest.map(([path, bytes]) => `\n  ${path}: ${kilobytes(bytes)} KB before minification`);
    flaws.push(
      `${kilobytes(gzipBytes)} KB, where ${maxKilobytes} are allowed; the heaviest modules are${list.join("")}`,
    );
  }
  const curve = modules.find(([path]) => path.includes("@noble/curves/"));
  if (curve !== undefined) flaws.push(`${curve[0]} is loaded at once, where only browsers without X25519 need it`);
  return flaws;
}

function textOf({ of, from, with: other }: Budget): string {
  const more = other === undefined ? "" : `export { ${other} } from "@wice/core";`;
  return `export { ${of} } from "${from}";${more}`;
}

function nameOf({ of, with: other }: Budget): string {
  return other === undefined ? of : `${of}, ${other}`;
}

/** `"55.1"`. */
function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}
