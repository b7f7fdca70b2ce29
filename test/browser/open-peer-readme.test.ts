/** The programs with sessions of the READMEs, as they stand there, in pages. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createRelay } from "@wice/node/relay";
import type { BrowserContext } from "playwright-core";
import { describe, expect } from "vitest";
import { readSnippets, root } from "../docs/snippets.ts";
import { servePage } from "../kit/page-site.ts";
import { openTestPage, type TestPage } from "../kit/test-page.ts";
import { test } from "./browser-test.ts";

const readmes = ["README.md", "packages/web/README.md"];

/** A site whose page runs the README's program with `openPeer` that has this in it. */
async function serveProgram(
  readme: string,
  part: string,
  replacement: string,
): Promise<AsyncDisposable & { readonly url: string }> {
  const found = readSnippets(readme).find(
    ({ code }) => code.includes("@wice/web") && /openPeer\(/.test(code) && code.includes(part),
  );
  if (found === undefined) throw new Error(`${readme} has no program with openPeer and ${part}`);
  // Inside the workspace, so that it finds the packages as a user's program does.
  const parent = join(root, ".cache");
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, "page-"));
  try {
    const file = join(folder, "program.ts");
    await writeFile(file, found.code.replace(part, replacement));
    const site = await servePage({ entry: pathToFileURL(file) });
    return { url: site.url(), [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() };
  } finally {
    await rm(folder, { recursive: true });
  }
}

type Page = TestPage<Record<never, never>>;

async function shown({ page, problems }: Page, pattern: RegExp): Promise<string> {
  const text = () => page.textContent("body");
  await expect.poll(text, { timeout: 15_000, message: problems.join("\n") }).toMatch(pattern);
  return pattern.exec((await text()) ?? "")?.[1] ?? "";
}

/** Opens the page, and another one with the key that the first shows; resolves when the first has heard from it. */
async function meet(url: string, contexts: readonly [BrowserContext, BrowserContext], heard: RegExp): Promise<void> {
  await using called = await openTestPage<Record<never, never>>(contexts[0], url);
  const key = await shown(called, /I am (\S{43}=)/);
  await using caller = await openTestPage<Record<never, never>>(contexts[1], `${url}#${key}`);
  expect(await shown(caller, /I am (\S{43}=)/)).not.toBe(key);
  await shown(called, heard);
}

describe.each(readmes)("%s", (readme) => {
  test("two browsers talk by its program, the second opened with the key that the first shows", async ({
    browser: { chromium },
  }) => {
    await using relay = await createRelay();
    await using site = await serveProgram(readme, "http://127.0.0.1:8080", relay.url);
    const contexts = [await chromium.browser.newContext(), await chromium.browser.newContext()] as const;
    await meet(site.url, contexts, /hear (hello)/);
    for (const context of contexts) await context.close();
  });

  test("two tabs talk by its program, with no relay at all", async ({ browser: { chromium } }) => {
    await using site = await serveProgram(readme, "broadcast:chess", "broadcast:chess");
    const context = await chromium.browser.newContext();
    await meet(site.url, [context, context], /hear (e2 e4)/);
    await context.close();
  });
});
