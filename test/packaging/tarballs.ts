/** Before the tests of this suite, once for all files: builds the packages, packs them, and looks for npm's registry. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { run } from "../tools/command.ts";
import { pack } from "../tools/pack.ts";
import { publishedPackages } from "../tools/workspace.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Name of each published package, and where its tarball is. */
    tarballs: Readonly<Record<string, string>>;
    /** Whether npm can install anything else. */
    hasRegistry: boolean;
  }
}

export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "wice-tarballs-"));
  const teardown = () => rm(folder, { recursive: true });
  try {
    await run("npm", ["run", "--silent", "build"]);
    const packed = publishedPackages().map(async (one) => [one.manifest.name, await pack(one.folder, folder)] as const);
    provide("tarballs", Object.fromEntries(await Promise.all(packed)));
    provide("hasRegistry", await hasRegistry());
  } catch (error) {
    await teardown();
    throw error;
  }
  return teardown;
}

/** Asked for once: each installation would be patient for a minute. */
async function hasRegistry(): Promise<boolean> {
  try {
    await run("npm", ["ping", "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=10000"]);
    return true;
  } catch (error) {
    // A registry that does not know what a ping is has answered, too.
    return !unreachable.test(String(error));
  }
}

const unreachable =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|E?TIMEDOUT|EHOSTUNREACH|ENETUNREACH|ERR_SOCKET_TIMEOUT)\b/;
