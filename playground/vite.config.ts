/** How the page is served and built: from sources, those of the packages included. */

import { fileURLToPath } from "node:url";
import { defaultClientConditions, defineConfig, type Plugin } from "vite";

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * Leaves out Vite's own script, which loads the page anew when the server is away for a moment: a page that comes back
 * from sleep, or outlives a restart of `npm start`, has to go on by itself.
 */
const withoutViteClient: Plugin = {
  name: "without-vite-client",
  apply: "serve",
  transformIndexHtml: {
    order: "post",
    handler: (html) => html.replace(/\s*<script type="module" src="\/@vite\/client"><\/script>/, ""),
  },
};

/** Tells the page that a relay serves it, at the same address, as `npm start` does. What is built nobody knows the server of. */
const servedByRelay: Plugin = {
  name: "served-by-relay",
  apply: "serve",
  transformIndexHtml: (html) => html.replace("<html ", "<html data-served "),
};

export default defineConfig({
  root: folder("."),
  // Any folder of any web server will do.
  base: "./",
  appType: "mpa",
  cacheDir: folder("../node_modules/.vite/playground"),
  clearScreen: false,
  plugins: [withoutViteClient, servedByRelay],
  logLevel: "warn",
  resolve: { conditions: ["@wice/source", ...defaultClientConditions] },
  build: { outDir: "dist", target: "es2022", modulePreload: { polyfill: false } },
  server: {
    middlewareMode: true,
    ws: false,
    hmr: false,
    fs: {
      allow: [folder("."), folder("../packages"), folder("../node_modules")],
      deny: [".env", ".env.*", "*.{crt,pem,key}", "**/.git/**", "**/.cache/**"],
    },
  },
});
