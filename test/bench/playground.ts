/** The playground as a visitor meets it: until something is painted, and until its two peers are connected. */

import type { Browser } from "playwright-core";
import { findChromium, launchChromium, needsChromium } from "../kit/chromium.ts";
import { serveStaticPlayground } from "../kit/static-playground.ts";
import { startServer } from "./relay/measured-server.ts";
import { median, percentile, ratios } from "./statistics.ts";
import type { Topic } from "./topic.ts";

const columns = ["page", "painted p50 ms", "to bare", "connected p50 ms", "p90 ms", "to bare", "script KB"];
const maxScriptBytes = 150_000;

/** A page that does no more than to connect two RTCPeerConnections, which need no server for that. */
const bare = `<!doctype html><title>bare</title><div id="connection"><p role="status">connecting</p></div><script src="./bare.js"></script>`;
const bareScript = `
const [one, other] = [new RTCPeerConnection(), new RTCPeerConnection()];
one.onicecandidate = ({ candidate }) => candidate && other.addIceCandidate(candidate);
other.onicecandidate = ({ candidate }) => candidate && one.addIceCandidate(candidate);
one.createDataChannel("data").onopen = () => {
  document.querySelector("p").textContent = "connected";
};
(async () => {
  await one.setLocalDescription();
  await other.setRemoteDescription(one.localDescription);
  await other.setLocalDescription();
  await one.setRemoteDescription(other.localDescription);
})();
`;

interface Visit {
  readonly paintedMs: number;
  readonly connectedMs: number;
}

export const playground: Topic = {
  name: "playground",
  title: "Playground: milliseconds from loading the page, built and served as files",
  async measure({ quick }) {
    const path = findChromium();
    if (path === undefined) return { method: needsChromium, table: { columns, rows: [] }, bars: [] };
    await using relay = await startServer("./relay-server.ts");
    await using site = await serveStaticPlayground({
      pages: new Map([
        ["/folder/bare.html", bare],
        ["/folder/bare.js", bareScript],
      ]),
    });
    await using chromium = await launchChromium(path);
    const visits: Record<"bare" | "ours", Visit[]> = { bare: [], ours: [] };
    const rounds = quick ? 3 : 15;
    // The browser itself is slow the first time.
    for (let round = -1; round < rounds; round++) {
      const [one, other] = [
        await visit(chromium.browser, `${site.url}bare.html`),
        await visit(chromium.browser, `${site.url}?relay=${relay.url}`),
      ];
      if (round < 0) continue;
      visits.bare.push(one);
      visits.ours.push(other);
    }
    const row = (name: string, which: "bare" | "ours", scriptBytes: number) => {
      const of = (what: keyof Visit, whose = which) => visits[whose].map((each) => each[what]);
      const toBare = (what: keyof Visit) => median(ratios(of(what), of(what, "bare")));
      return [
        name,
        median(of("paintedMs")),
        toBare("paintedMs"),
        median(of("connectedMs")),
        percentile(of("connectedMs"), 90),
        toBare("connectedMs"),
        scriptBytes / 1_000,
      ];
    };
    return {
      method:
        `${rounds} visits of each page in turns, each with an empty cache. Painted is Chromium's first contentful paint, ` +
        "connected when the page says so; both count from the start of the navigation, by the page's own clock. The " +
        "playground makes keys, subscribes both peers at a relay of another process, and connects them by sealed " +
        "envelopes; the bare page hands descriptions from one RTCPeerConnection to the other. Scripts are compressed " +
        "with gzip in the table, and not on their way.",
      table: {
        columns,
        rows: [row("bare", "bare", bareScript.length), row("playground", "ours", site.scriptBytes)],
      },
      bars: [
        {
          what: "scripts of the playground",
          value: site.scriptBytes / 1_000,
          limit: maxScriptBytes / 1_000,
          unit: " KB",
        },
      ],
    };
  },
};

/** Runs in the page, before its own script. */
const watchState = `
const watcher = new MutationObserver(() => {
  if (document.querySelector("#connection [role=status]")?.textContent !== "connected") return;
  performance.mark("connected");
  watcher.disconnect();
});
watcher.observe(document, { subtree: true, childList: true, characterData: true });
`;
const readVisit = `({
  paintedMs: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
  connectedMs: performance.getEntriesByName("connected")[0]?.startTime ?? NaN,
})`;

async function visit(browser: Browser, url: string): Promise<Visit> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.addInitScript(watchState);
    await page.goto(url);
    // In the page there is nothing to wait for: a hidden one has no frames.
    await page.locator("#connection").getByText("connected", { exact: true }).waitFor();
    return await page.evaluate<Visit>(readVisit);
  } finally {
    await context.close();
  }
}
