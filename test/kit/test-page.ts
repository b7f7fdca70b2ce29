/** A page in the browser, as its tests use it: they call its functions, and it must not complain without being expected to. */

import type { BrowserContext, CDPSession, Page } from "playwright-core";
import type { PageFailure, PageFunctions, PageGlobal } from "./page-functions.ts";

export interface TestPageOptions {
  /** What the console may say: browsers print failed requests, for example, whether somebody handles them or not. */
  readonly expected?: readonly RegExp[];
}

export interface TestPage<Functions extends PageFunctions<Functions>> extends AsyncDisposable {
  /** Playwright's page. */
  readonly page: Page;
  /** Calls a function that the page exposed. What it rejects with arrives as an error with the same code. */
  call<Name extends keyof Functions & string>(
    name: Name,
    ...args: Parameters<Functions[Name]>
  ): Promise<Awaited<ReturnType<Functions[Name]>>>;
  /** Chromium's debugger protocol, for what playwright has no word for. */
  debug(): Promise<CDPSession>;
  /** What the page complained of so far: errors in the console (violations of its policy are among them), uncaught ones. */
  readonly problems: readonly string[];
  /** Closes it. Throws when there were problems that nobody expected. Idempotent. */
  close(): Promise<void>;
  /** Closes it and throws nothing, which would hide what the test says. Whoever opened it calls {@link close} as well. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a function of the page threw. */
class PageError extends Error {
  override readonly name: string;
  readonly code: string | undefined;
  readonly retryable: boolean | undefined;
  readonly retryAfterMs: number | undefined;

  constructor({ name, message, stack, code, retryable, retryAfterMs, cause }: PageFailure) {
    super(message, cause === undefined ? undefined : { cause: new PageError(cause) });
    this.name = name;
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
    if (stack !== undefined) this.stack = `${stack}\n    -- in the page; called by\n${this.stack}`;
  }
}

/** A relay may end with its test a moment before the pages do; where it matters, a test sees that nothing arrives. */
const gone = /net::ERR_(CONNECTION_(REFUSED|RESET|CLOSED)|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/;

/** Opens the URL in a new tab; resolves when the page has exposed its functions. */
export async function openTestPage<Functions extends PageFunctions<Functions>>(
  context: BrowserContext,
  url: string,
  { expected = [] }: TestPageOptions = {},
): Promise<TestPage<Functions>> {
  const page = await context.newPage();
  const problems: string[] = [];
  const watch = (tab: Page): void => {
    tab.on("console", (message) => {
      if (message.type() === "error") problems.push(`${message.text()} (${message.location().url})`);
    });
    tab.on("pageerror", (error) => problems.push(`uncaught: ${error.stack ?? error.message}`));
    tab.on("crash", () => problems.push("the page crashed"));
    tab.on("popup", watch);
  };
  watch(page);

  const close = async (): Promise<void> => {
    await page.close();
    const unexpected = problems.filter((problem) => ![gone, ...expected].some((pattern) => pattern.test(problem)));
    problems.length = 0;
    if (unexpected.length > 0) throw new Error(`the page complained:\n${unexpected.join("\n")}`);
  };
  try {
    // A script of type module has run when the page is loaded.
    await page.goto(url);
  } catch (error) {
    await page.close();
    throw error;
  }
  return {
    page,
    problems,
    call(name, ...args) {
      const called = callIn(page, name, args, problems);
      // A test that has failed awaits nothing any more, and its page is closed.
      called.catch(() => {});
      return called as Promise<never>;
    },
    debug: () => context.newCDPSession(page),
    close,
    [Symbol.asyncDispose]: () => page.close(),
  };
}

async function callIn(
  page: Page,
  name: string,
  args: readonly unknown[],
  problems: readonly string[],
): Promise<unknown> {
  const outcome = await page.evaluate(
    ([functionName, given]) => (globalThis as PageGlobal).callPageFunction?.(functionName, given),
    [name, args] as const,
  );
  if (outcome === undefined) throw new Error(`the page exposes nothing; it said: ${problems.join("\n")}`);
  if ("error" in outcome) throw new PageError(outcome.error);
  return outcome.value;
}
