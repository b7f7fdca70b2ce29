/** The playground as `npm run build -w playground` makes it, in a folder of a web server that knows nothing of it. */

import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import viteConfig from "../../playground/vite.config.ts";

export interface StaticPlayground extends AsyncDisposable {
  /** Ends with a slash. */
  readonly url: string;
  /** Of all scripts, each compressed with gzip. */
  readonly scriptBytes: number;
}

const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

export interface StaticPlaygroundOptions {
  /** Further pages beside it, by path. */
  readonly pages?: ReadonlyMap<string, string>;
}

export async function serveStaticPlayground({
  pages = new Map(),
}: StaticPlaygroundOptions = {}): Promise<StaticPlayground> {
  const folder = await mkdtemp(join(tmpdir(), "wice-playground-"));
  await build({ ...viteConfig, configFile: false, build: { ...viteConfig.build, outDir: folder, emptyOutDir: false } });
  const scripts = (await readdir(join(folder, "assets"))).filter((name) => name.endsWith(".js"));
  const sizes = await Promise.all(
    scripts.map(async (name) => gzipSync(await readFile(join(folder, "assets", name))).length),
  );
  const server = createServer(({ url = "/" }, response) => {
    const path = new URL(url, "http://localhost").pathname.replace(/^\/folder\/$/, "/folder/index.html");
    const page = pages.get(path);
    const bytes = page === undefined ? readFile(join(folder, path.replace("/folder/", ""))) : Promise.resolve(page);
    bytes.then(
      (body) => response.writeHead(200, { "content-type": types[extname(path)] ?? "text/html" }).end(body),
      () => response.writeHead(404).end(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/folder/`,
    scriptBytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
    async [Symbol.asyncDispose]() {
      server.close().closeAllConnections();
      await rm(folder, { recursive: true });
    },
  };
}
