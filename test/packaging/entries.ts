/** Everything that users can import of our packages. */

import { publishedPackages } from "../tools/workspace.ts";

/** `"@wice/core"`, `"@wice/core/passphrase"`, … */
export function entriesOf(packages: readonly string[]): readonly string[] {
  return publishedPackages()
    .filter(({ manifest }) => packages.includes(manifest.name))
    .flatMap(({ manifest: { name, exports = {} } }) => Object.keys(exports).map((path) => name + path.slice(1)));
}

/** A module that has all of it. */
export function exportAll(packages: readonly string[]): string {
  const lines = entriesOf(packages).map((entry, index) => `export * as entry${index} from "${entry}";\n`);
  return lines.join("");
}
