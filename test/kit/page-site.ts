/** A web site of one page, whose script is bundled from sources, with as strict a Content-Security-Policy as there is. */

import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import type { Certificate } from "./certificate.ts";

export interface PageSiteOptions {
  /** The TypeScript file that is the page's script: `new URL("./page/main.ts", import.meta.url)`. */
  readonly entry: URL;
  /** Serves by https with it. */
  readonly tls?: Certificate;
}

export interface PageSite extends AsyncDisposable {
  readonly port: number;
  /** The page, under one of the names of this machine; each is an origin of its own. Default `"localhost"`. */
  url(host?: string): string;
}

/** No inline script, no eval, nothing of other origins but connections. */
const policy = "default-src 'none'; script-src 'self'; connect-src *";

const html = `<!doctype html><html lang="en"><title>wice</title><script type="module" src="/page.js"></script></html>`;

/** Bundles the page and serves it on loopback. */
export async function servePage({ entry, tls }: PageSiteOptions): Promise<PageSite> {
  const scripts = await bundlePage(entry);
  const answer: RequestListener = ({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    const script = scripts.get(pathname);
    response.setHeader("content-security-policy", policy);
    if (script !== undefined) response.writeHead(200, { "content-type": "text/javascript" }).end(script);
    else if (pathname === "/") response.writeHead(200, { "content-type": "text/html" }).end(html);
    else response.writeHead(404).end();
  };
  const server = tls === undefined ? createServer(answer) : createSecureServer({ ...tls }, answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: (host = "localhost") => `${tls === undefined ? "http" : "https"}://${host}:${port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The page's scripts by path. What it imports dynamically stays apart, as in a bundle of a user's. */
async function bundlePage(entry: URL): Promise<ReadonlyMap<string, string>> {
  await using build = await rolldown({
    input: { page: fileURLToPath(entry) },
    platform: "browser",
    resolve: { conditionNames: ["@wice/source", "browser", "import", "module", "default"] },
    onLog(level, { code, message }) {
      if (level === "warn") throw new Error(`${code}: ${message}`);
    },
  });
  const { output } = await build.generate({ format: "esm", chunkFileNames: "[name]-[hash].js" });
  return new Map(output.flatMap((part) => (part.type === "chunk" ? [[`/${part.fileName}`, part.code]] : [])));
}
