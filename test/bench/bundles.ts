/** What pages load for realistic imports of ours, beside other libraries that connect peers. */

import { bundle } from "../tools/bundle.ts";
import { run } from "../tools/command.ts";
import type { Topic } from "./topic.ts";

interface Import {
  readonly name: string;
  /** The page's module. */
  readonly text: string;
  /** In KB, minified and compressed. */
  readonly bar?: number;
}

const imports: readonly Import[] = [
  { name: "@wice/core: PublicKey", text: 'export { PublicKey } from "@wice/core";', bar: 3 },
  { name: "@wice/core: createBackend", text: 'export { createBackend } from "@wice/core";' },
  { name: "@wice/core: and createPeer", text: 'export { createBackend, createPeer } from "@wice/core";', bar: 50 },
  {
    name: "@wice/web: createConnectTransport",
    text: 'export { createConnectTransport } from "@wice/web";',
  },
  { name: "@wice/web: openBackend", text: 'export { openBackend } from "@wice/web";', bar: 60 },
  {
    name: "@wice/web: openBackend, and createPeer",
    text: 'export { openBackend } from "@wice/web"; export { createPeer } from "@wice/core";',
    bar: 72,
  },
  { name: "peerjs: Peer", text: 'export { Peer } from "peerjs";' },
  // What it imports of Node's is in this file of its own, as its README asks pages to use it.
  { name: "simple-peer: its file for browsers", text: 'export { default } from "simple-peer/simplepeer.min.js";' },
  { name: "trystero: joinRoom", text: 'export { joinRoom } from "trystero";' },
];

const bytesPerKilobyte = 1_000;

export const bundles: Topic = {
  name: "bundles",
  title: "Bundles: what a page loads, in KB",
  async measure() {
    await run("npm", ["run", "--silent", "build"]);
    const made = await Promise.all(imports.map(async (each) => ({ ...each, ...(await bundle(each.text)) })));
    return {
      method:
        "A module with this export, bundled by rolldown for browsers with all that it imports, minified, each chunk " +
        "compressed by gzip; a KB is 1,000 bytes. Chunks that a page loads only when it needs them stand apart. The " +
        "others come with less than ours or with other things: peerjs and simple-peer have no keys and no encryption " +
        "of what their server sees, simple-peer has no signaling at all.",
      table: {
        columns: ["import", "minified", "and compressed", "later, if needed"],
        rows: made.map(({ name, minifiedBytes, gzipBytes, chunks }) => {
          const later = chunks.reduce((sum, chunk) => sum + (chunk.initial ? 0 : chunk.gzipBytes), 0);
          return [name, ...[minifiedBytes, gzipBytes, later].map((bytes) => bytes / bytesPerKilobyte)];
        }),
      },
      bars: made.flatMap(({ name, gzipBytes, bar }) =>
        bar === undefined ? [] : [{ what: name, value: gzipBytes / bytesPerKilobyte, limit: bar, unit: " KB" }],
      ),
    };
  },
};
