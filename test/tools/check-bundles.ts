/** Neutral packages stay neutral: every subpath of theirs bundles for a browser, and reaches nothing of Node's. */

import { isBuiltin } from "node:module";
import { type Plugin, rolldown } from "rolldown";
import { root } from "./command.ts";
import { allPackages } from "./workspace.ts";

/** The packages that must run anywhere. */
const neutral = ["@wice/core"];

/** What belongs to Node, and to the subpaths of `@wice/node` that need it. */
const forbidden = /^(@wice\/node|@connectrpc\/connect-node|@kubernetes\/|@nats-io\/|werift|node-datachannel)/;

export async function checkBundles(): Promise<void> {
  const flaws: string[] = [];
  for (const { manifest } of allPackages().filter(({ manifest }) => neutral.includes(manifest.name))) {
    for (const subpath of Object.keys(manifest.exports ?? {})) {
      const entry = manifest.name + subpath.slice(1);
      flaws.push(...(await bundle(entry)).map((flaw) => `${entry}: ${flaw}`));
    }
  }
  if (flaws.length > 0) throw new Error(flaws.join("\n"));
}

/** Everything that stands in the way of the entry running in a browser. */
async function bundle(entry: string): Promise<string[]> {
  const flaws: string[] = [];
  const gate: Plugin = {
    name: "gate",
    resolveId(id, importer) {
      if (id === start) return id;
      if (!isBuiltin(id) && !forbidden.test(id)) return null;
      flaws.push(`${importer?.replace(root, "") ?? "?"} imports ${id}`);
      return { id, external: true };
    },
    load: (id) => (id === start ? `export * from "${entry}";` : null),
  };
  const build = await rolldown({
    input: start,
    cwd: root,
    platform: "browser",
    plugins: [gate],
    onLog: (level, { code, message }) => {
      if (level === "warn") flaws.push(`${code}: ${message}`);
    },
  });
  const { output } = await build.generate({ format: "esm" });
  await build.close();
  if (output.every((chunk) => chunk.type !== "chunk" || chunk.code.trim() === "")) flaws.push("nothing was bundled");
  return flaws;
}

/** A module that re-exports the entry, as a user's would. */
const start = "start.js";
