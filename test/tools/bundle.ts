/** What a bundler makes of a user's imports: minified chunks, and what they weigh on their way to a page. */

import { gzipSync } from "node:zlib";
import { type OutputChunk, type Plugin, rolldown } from "rolldown";
import { root } from "./command.ts";

export interface Bundle {
  readonly chunks: readonly BundleChunk[];
  /** Of the chunks that a page loads before its script runs, each compressed by itself. */
  readonly gzipBytes: number;
  readonly minifiedBytes: number;
  /** What the bundler was not content with. */
  readonly warnings: readonly string[];
}

export interface BundleChunk {
  readonly code: string;
  /** Whether the page loads it before its script runs; else only when something asks for it by `import()`. */
  readonly initial: boolean;
  readonly gzipBytes: number;
  /** What is left of each module before it is minified, in bytes; by path, from the root of the workspace. */
  readonly modules: ReadonlyMap<string, number>;
}

export interface BundleOptions {
  /** Default `"browser"`. */
  readonly platform?: "browser" | "node";
  /** See and steer what is imported. */
  readonly plugins?: readonly Plugin[];
}

/**
 * Bundles a module of this text, with all that it imports. Packages are found where the workspace finds them, and ours
 * as they are built, so build them first.
 *
 * ```ts
 * const { gzipBytes } = await bundle('export { PublicKey } from "@wice/core";');
 * ```
 */
export async function bundle(text: string, options: BundleOptions = {}): Promise<Bundle> {
  const { platform = "browser", plugins = [] } = options;
  const warnings: string[] = [];
  const page: Plugin = {
    name: "page",
    resolveId: (id) => (id === start ? id : null),
    load: (id) => (id === start ? text : null),
  };
  await using build = await rolldown({
    input: start,
    cwd: root,
    platform,
    plugins: [page, ...plugins],
    onLog: (level, { code, message }) => {
      if (level === "warn") warnings.push(`${code}: ${message}`);
    },
  });
  const { output } = await build.generate({ format: "esm", minify: true });
  const parts = output.filter((part) => part.type === "chunk");
  const initial = initialNames(parts);
  const chunks = parts.map((part) => describe(part, initial.has(part.fileName)));
  const loaded = chunks.filter((chunk) => chunk.initial);
  return {
    chunks,
    gzipBytes: loaded.reduce((sum, chunk) => sum + chunk.gzipBytes, 0),
    minifiedBytes: loaded.reduce((sum, { code }) => sum + Buffer.byteLength(code), 0),
    warnings,
  };
}

const start = "start.js";

/** The entry, and what it imports other than by `import()`. */
function initialNames(parts: readonly OutputChunk[]): ReadonlySet<string> {
  const names = new Set(parts.filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName));
  // A set hands out what is added to it while one goes through it.
  for (const name of names) {
    for (const imported of parts.find(({ fileName }) => fileName === name)?.imports ?? []) names.add(imported);
  }
  return names;
}

function describe({ code, modules }: OutputChunk, initial: boolean): BundleChunk {
  const sizes = Object.entries(modules).map(
    ([path, { renderedLength }]) => [path.replace(root, ""), renderedLength] as const,
  );
  // Nothing weighs nothing, though gzip makes 20 bytes of it.
  return { code, initial, gzipBytes: code === "" ? 0 : gzipSync(code).length, modules: new Map(sizes) };
}
