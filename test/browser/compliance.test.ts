import { randomUUID } from "node:crypto";
import { backendCompliance, transportCompliance } from "@wice/core/testing";
import { createRelay, type Relay } from "@wice/node/relay";
import type { BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe } from "vitest";
import { createCertificate } from "../kit/certificate.ts";
import type { TestPage } from "../kit/test-page.ts";
import { test } from "./browser-test.ts";
import type { ComplianceSuite, Medium, TransportOptions, WebPage } from "./web-page.ts";

const elsewhere = (): never => {
  throw new Error("these cases run in the page");
};
const namesOf = (cases: readonly { readonly name: string }[]): readonly string[] => cases.map(({ name }) => name);
const suites: Readonly<Record<ComplianceSuite, readonly string[]>> = {
  transport: namesOf(transportCompliance({ setup: elsewhere, teardown: elsewhere })),
  backend: namesOf(backendCompliance({ setup: elsewhere, teardown: elsewhere })),
};

type RelayName = "plain" | "tls";

interface Scenario {
  readonly name: string;
  medium(urls: Readonly<Record<RelayName, string>>): Medium;
}

const overRelay = (
  relay: RelayName,
  name: string,
  options: Omit<TransportOptions, "relay">,
  tabs?: { readonly tabs: 2 },
): Scenario => ({
  name,
  medium: (urls) => ({ kind: "transport", transport: { relay: urls[relay], ...options }, ...tabs }),
});

const scenarios: readonly Scenario[] = [
  { name: "within a page", medium: () => ({ kind: "inprocess" }) },
  overRelay("plain", "Connect over HTTP/1.1", { protocol: "connect", shareStream: true }),
  overRelay("plain", "gRPC-Web over HTTP/1.1", { protocol: "grpc-web", shareStream: true }),
  overRelay("plain", "Connect over HTTP/1.1, the stream shared by two tabs", { shareStream: true }, { tabs: 2 }),
  overRelay("tls", "Connect over HTTP/2", { protocol: "connect" }),
  overRelay("tls", "gRPC-Web over HTTP/2", { protocol: "grpc-web" }),
  overRelay("tls", "Connect over HTTP/2, the stream shared", { shareStream: true }),
  { name: "BroadcastChannel", medium: broadcast },
  { name: "BroadcastChannel between two tabs", medium: () => ({ ...broadcast(), tabs: 2 }) },
];

/** A channel for each case. */
function broadcast(): Medium & { readonly kind: "transport" } {
  return { kind: "transport", transport: { relay: `broadcast:${randomUUID()}` } };
}

let relays: Readonly<Record<RelayName, Relay>>;
beforeAll(async () => {
  const tls = await createCertificate();
  relays = { plain: await createRelay(), tls: await createRelay({ tls }) };
});
afterAll(() => Promise.all(Object.values(relays).map((relay) => relay.close({ graceMs: 0 }))));

for (const { name, medium } of scenarios) {
  describe(name, () => {
    let context: BrowserContext | undefined;
    let page: TestPage<WebPage> | undefined;
    test.beforeAll(async ({ scene }) => {
      context = await scene?.chromium.browser.newContext();
      if (context !== undefined) page = await scene?.open(context);
    });
    test.afterAll(async () => {
      try {
        await page?.close();
      } finally {
        await context?.close();
      }
    });

    for (const [suite, cases] of Object.entries(suites) as [ComplianceSuite, readonly string[]][]) {
      describe(`as a ${suite}`, () => {
        test.for(cases)("%s", async (statement, { browser: _ }) => {
          const urls = { plain: relays.plain.url, tls: relays.tls.url };
          await page?.call("runCase", medium(urls), suite, statement);
        });
      });
    }
  });
}
