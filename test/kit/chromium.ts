/** Debian's Chromium, or the one that is there, headless and in a process of its own. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContext, chromium } from "playwright-core";

export interface Chromium extends AsyncDisposable {
  readonly pid: number;
  /** For contexts: each is like a private window with storage of its own, whose pages think that they are in front. */
  readonly browser: Browser;
  /**
   * The tabs of a window as its user has them: one is in front, and the others are hidden, have slow timers, and may be
   * frozen. They share storage as long as the browser runs.
   */
  readonly tabs: BrowserContext;
}

/** Why a test cannot run where {@link findChromium} finds nothing. */
export const needsChromium = "needs Chromium: npm run setup, or WICE_CHROMIUM=/path/to/it";

/** A name that leads to this machine but is no secure context, as a page of a plain web server in a LAN is none. */
export const insecureHost = "insecure.test";

const commands = ["chromium", "chromium-browser", "google-chrome"];

const flags = [
  "--headless",
  "--remote-debugging-port=0",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--no-default-browser-check",
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-extensions",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--use-mock-keychain",
  "--password-store=basic",
  // The certificates of the tests are their own authority.
  "--ignore-certificate-errors",
  `--host-resolver-rules=MAP ${insecureHost} 127.0.0.1`,
];

/** The path of the browser: that of `WICE_CHROMIUM`, else the first in the path; undefined where there is none. */
export function findChromium(): string | undefined {
  const { WICE_CHROMIUM: chosen, PATH: path = "" } = process.env;
  if (chosen !== undefined && chosen !== "") return chosen;
  const folders = path.split(delimiter);
  return commands.flatMap((command) => folders.map((folder) => join(folder, command))).find(isExecutable);
}

/**
 * Starts the browser. Playwright would start it with flags that keep hidden tabs as quick as visible ones, and would
 * make each page think that it is in front; we want to see what users see.
 */
export async function launchChromium(path: string, extraFlags: readonly string[] = []): Promise<Chromium> {
  const profile = await mkdtemp(join(tmpdir(), "wice-chromium-"));
  const args = [...flags, ...extraFlags, `--user-data-dir=${profile}`, "about:blank"];
  // What it keeps elsewhere, it leaves behind when it is killed.
  const env = { ...process.env, TMPDIR: profile };
  const child = spawn(path, args, { stdio: ["ignore", "ignore", "pipe"], env });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()).once("error", () => resolve()));
  const stop = async (): Promise<void> => {
    kill();
    await ended;
    process.off("exit", kill);
    await rm(profile, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    await once(child, "spawn");
    const browser = await chromium.connectOverCDP(await debuggerOf(child.stderr), { noDefaults: true });
    const [tabs] = browser.contexts();
    if (tabs === undefined) throw new Error("Chromium has no window");
    return {
      pid: child.pid as number,
      browser,
      tabs,
      async [Symbol.asyncDispose]() {
        await browser.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address at which it listens for us, which it prints when it is ready. */
function debuggerOf(stderr: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = "";
    stderr.setEncoding("utf8");
    stderr.on("data", (text: string) => {
      // It may go on to print for hours.
      printed = (printed + text).slice(-10_000);
      const found = /DevTools listening on (ws:\S+)/.exec(printed);
      if (found?.[1] !== undefined) resolve(found[1]);
    });
    stderr.on("end", () => reject(new Error(`Chromium ended at once: ${printed}`)));
  });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
