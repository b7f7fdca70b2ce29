import { backendCompliance, transportCompliance } from "@wice/core/testing";
import type { BrowserContext } from "playwright-core";
import { describe } from "vitest";
import type { TestPage } from "../kit/test-page.ts";
import { test } from "./browser-test.ts";
import type { ComplianceSuite, Medium, WebPage } from "./web-page.ts";

const elsewhere = (): never => {
  throw new Error("these cases run in the page");
};
const namesOf = (cases: readonly { readonly name: string }[]): readonly string[] => cases.map(({ name }) => name);
const suites: Readonly<Record<ComplianceSuite, readonly string[]>> = {
  transport: namesOf(transportCompliance({ setup: elsewhere, teardown: elsewhere })),
  backend: namesOf(backendCompliance({ setup: elsewhere, teardown: elsewhere })),
};

interface Scenario {
  readonly name: string;
  medium(): Medium;
}

const scenarios: readonly Scenario[] = [{ name: "within a page", medium: () => ({ kind: "inprocess" }) }];

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
          await page?.call("runCase", medium(), suite, statement);
        });
      });
    }
  });
}
