import { describe, expect } from "vitest";
import { insecureHost } from "../kit/chromium.ts";
import type { TestPage } from "../kit/test-page.ts";
import { test } from "./browser-test.ts";
import type { WebPage } from "./web-page.ts";

describe("a page that breaks the rules fails its test:", () => {
  test.for([
    ["eval", /violates script-src: eval/],
    ["inline script", /Content Security Policy/],
    ["console", /something went wrong/],
    ["uncaught", /nobody catches this/],
  ] as const)("%s", async ([how, complaint], { browser, scene }) => {
    const context = await browser.chromium.browser.newContext();
    const page = (await scene?.open(context)) as TestPage<WebPage>;
    await page.call("misbehave", how);
    await expect.poll(() => page.problems).not.toEqual([]);
    await expect(page.close()).rejects.toThrow(complaint);
    await context.close();
  });
});

test("an error of the page arrives with all that is known of it", async ({ open }) => {
  const page = await open();
  await expect(page.call("misbehave", "reject")).rejects.toMatchObject({
    ...{ name: "WiceError", message: "there is nothing", code: "unavailable", retryable: true },
    cause: { message: "why" },
  });
});

test.for([
  ["localhost", true],
  [insecureHost, false],
] as const)("%s is a secure context: %s", async ([host, secure], { open }) => {
  const page = await open({ host });
  expect(await page.call("isSecure")).toBe(secure);
});
