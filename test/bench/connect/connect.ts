/** How long it takes two pages to connect, from the call to the first echo. */

import { electRole, PublicKey, type Role } from "@wice/core";
import { findChromium, launchChromium, needsChromium } from "../../kit/chromium.ts";
import { servePage } from "../../kit/page-site.ts";
import { openTestPage, type TestPage } from "../../kit/test-page.ts";
import { startServer } from "../relay/measured-server.ts";
import { median, percentile, ratios, withSpread } from "../statistics.ts";
import type { Topic } from "../topic.ts";
import type { ConnectPage, Way } from "./connect-page.ts";
import { startPeerJsServer } from "./peerjs-server.ts";

const columns = ["who", "p50 ms", "p90 ms", "to bare", "messages"];

const mostToBare = 1.15;
const mostEnvelopes = 6;

/** What was told of a connection may still be confirmed, and what was ended may be on its way, for so long. */
const restMs = 250;

/** Two pages, of which the first calls. */
interface Pair {
  readonly name: string;
  readonly isOurs: boolean;
  readonly pages: readonly [Attached, Attached];
}

interface Attached {
  readonly name: string;
  readonly page: TestPage<ConnectPage>;
}

interface Samples {
  readonly name: string;
  readonly isOurs: boolean;
  readonly ms: number[];
  /** Of both pages, to the relay or PeerJS's server. */
  readonly messages: number[];
}

export const connect: Topic = {
  name: "connect",
  title: "Connect: milliseconds from the call to the first echo, between two pages in Chromium",
  async measure({ quick }) {
    const path = findChromium();
    if (path === undefined) return { method: needsChromium, table: { columns, rows: [] }, bars: [] };
    const samples = await measure(path, quick ? 5 : 30);
    const bare = samples[0]?.ms ?? [];
    const ours = samples.filter(({ isOurs }) => isOurs);
    return {
      method:
        `${bare.length} rounds in which each connects once, in turns; two pages each, in one browser without mDNS names, that ` +
        "have connected before: subscribed, keys agreed. The servers are processes of this machine, the relay on plain " +
        "HTTP. Bare is RTCPeerConnection alone, with offer, answer and every candidate published as soon as it is " +
        "there, in JSON that nobody seals; simple-peer has its signals carried in the same way. PeerJS has a server that " +
        "does no more than its client needs. The ratio is the median of rounds, and the half of them in the middle; " +
        "messages are those of both sides to the server, median and most.",
      table: {
        columns,
        rows: samples.map(({ name, ms, messages }) => [
          ...[name, median(ms), percentile(ms, 90), withSpread(ratios(ms, bare))],
          `${median(messages)}, ${Math.max(...messages)}`,
        ]),
      },
      bars: ours.flatMap(({ name, ms, messages }) => [
        {
          what: `${name}: connect to first echo, to bare`,
          value: median(ratios(ms, bare)),
          limit: mostToBare,
          unit: "",
        },
        { what: `${name}: envelopes`, value: Math.max(...messages), limit: mostEnvelopes, unit: "" },
      ]),
    };
  },
};

async function measure(path: string, rounds: number): Promise<readonly Samples[]> {
  await using relay = await startServer("./relay-server.ts");
  await using peerjs = await startPeerJsServer();
  await using site = await servePage({ entry: new URL("./page/main.ts", import.meta.url) });
  await using chromium = await launchChromium(path, ["--disable-features=WebRtcHideLocalIpsWithMdns"]);

  const open = async (way: Way): Promise<Attached> => {
    const page = await openTestPage<ConnectPage>(await chromium.browser.newContext(), site.url());
    return { page, name: await page.call("attach", way, { relay: relay.url, peerjsPort: peerjs.port }) };
  };
  const openPair = async (way: Way): Promise<Pair["pages"]> => [await open(way), await open(way)];
  const openWice = async (caller: Role): Promise<Pair["pages"]> => {
    const [one, other] = await openPair("wice");
    const role = electRole(PublicKey.parse(one.name), PublicKey.parse(other.name));
    return role === caller ? [one, other] : [other, one];
  };
  const pairs: readonly Pair[] = [
    { name: "bare", isOurs: false, pages: await openPair("bare") },
    { name: "wice, the controlling peer calls", isOurs: true, pages: await openWice("controlling") },
    { name: "wice, the controlled peer calls", isOurs: true, pages: await openWice("controlled") },
    { name: "simple-peer", isOurs: false, pages: await openPair("simple-peer") },
    { name: "PeerJS", isOurs: false, pages: await openPair("peerjs") },
  ];

  const count = async ({ pages }: Pair): Promise<number> => {
    const envelopes = await Promise.all(pages.map(({ page }) => page.call("envelopes")));
    return envelopes.reduce((sum, each) => sum + each, peerjs.messages());
  };
  const samples = pairs.map(({ name, isOurs }): Samples => ({ name, isOurs, ms: [], messages: [] }));
  const turn = async (index: number): Promise<{ readonly ms: number; readonly messages: number }> => {
    const pair = pairs[index] as Pair;
    const [caller, called] = pair.pages;
    const before = await count(pair);
    const ms = await caller.page.call("connect", called.name);
    await rest();
    const messages = (await count(pair)) - before;
    for (const { page } of pair.pages) await page.call("hangUp");
    await rest();
    return { ms, messages };
  };
  // The first time, code is not compiled and keys are not agreed.
  for (let warmUp = 0; warmUp < 2; warmUp++) for (const index of pairs.keys()) await turn(index);
  for (let round = 0; round < rounds; round++) {
    for (let step = 0; step < pairs.length; step++) {
      const index = (round + step) % pairs.length;
      const { ms, messages } = await turn(index);
      samples[index]?.ms.push(ms);
      samples[index]?.messages.push(messages);
    }
  }
  return samples;
}

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, restMs));
}
