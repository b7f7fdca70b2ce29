/** How long a message takes from one backend to another in a page, by way of a relay. */

import { findChromium, launchChromium, needsChromium } from "../kit/chromium.ts";
import { servePage } from "../kit/page-site.ts";
import { openTestPage } from "../kit/test-page.ts";
import type { BenchPage, Way } from "./bench-page.ts";
import { startServer } from "./relay/measured-server.ts";
import { median, percentile, ratios } from "./statistics.ts";
import type { Topic } from "./topic.ts";

const ways: readonly { readonly way: Way; readonly name: string }[] = [
  { way: "preset", name: "two openBackend" },
  { way: "own streams", name: "two openBackend, no shared stream" },
  { way: "by hand", name: "fetch by hand, nothing sealed" },
];

const columns = ["way", "p50 ms", "p99 ms", "p50 to by hand"];

export const page: Topic = {
  name: "page",
  title: "Page: milliseconds from publishing to having received, in Chromium",
  async measure({ quick }) {
    const path = findChromium();
    if (path === undefined) return { method: needsChromium, table: { columns, rows: [] }, bars: [] };
    const [rounds, perTurn] = quick ? [2, 10] : [10, 30];
    const samples = await measure(path, rounds, perTurn);
    const p50s = (way: Way) => samples[way].map(median);
    return {
      method:
        `Messages of 100 bytes one after the other, ${rounds * perTurn} each way, in turns of ${perTurn}; both peers in ` +
        "one page, the relay in another process, plain HTTP of another origin. Ours seals, opens, checks and reports; " +
        "by hand there is a fetch for each message and one for the stream, and bytes made before. The page's clock " +
        "ticks in tenths of a millisecond.",
      table: {
        columns,
        rows: ways.map(({ way, name }) => {
          const all = samples[way].flat();
          return [name, percentile(all, 50), percentile(all, 99), median(ratios(p50s(way), p50s("by hand")))];
        }),
      },
      bars: [],
    };
  },
};

/** The samples of each round. */
async function measure(path: string, rounds: number, perTurn: number): Promise<Record<Way, number[][]>> {
  await using relay = await startServer("./relay-server.ts");
  await using site = await servePage({ entry: new URL("./page/main.ts", import.meta.url) });
  await using chromium = await launchChromium(path);
  await using measured = await openTestPage<BenchPage>(await chromium.browser.newContext(), site.url());
  await measured.call("prepare", relay.url, perTurn);
  const samples: Record<Way, number[][]> = { preset: [], "own streams": [], "by hand": [] };
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < ways.length; turn++) {
      const { way } = ways[(round + turn) % ways.length] as (typeof ways)[number];
      samples[way].push([...(await measured.call("pass", way, perTurn))]);
    }
  }
  return samples;
}
