/** A folder as a web site, as any plain web server would serve it, which remembers what it was asked for. */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

export interface FolderSite extends AsyncDisposable {
  /** Paths that were answered with a file, in the order in which they were asked for. */
  readonly served: readonly string[];
  /** The page, under one of the names of this machine. Default `"localhost"`. */
  url(host?: string): string;
}

export interface FolderSiteOptions {
  /** The Content-Security-Policy of its pages. */
  readonly policy?: string;
}

const types: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript" };

export async function serveFolder(folder: string, { policy }: FolderSiteOptions = {}): Promise<FolderSite> {
  const served: string[] = [];
  const server = createServer(async ({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    const path = normalize(pathname.endsWith("/") ? `${pathname}index.html` : pathname);
    const content = await readFile(join(folder, path)).catch(() => undefined);
    if (content === undefined) {
      response.writeHead(404).end();
      return;
    }
    served.push(path);
    if (policy !== undefined) response.setHeader("content-security-policy", policy);
    response.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream" }).end(content);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    served,
    url: (host = "localhost") => `http://${host}:${port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
