/** Runs in the page: lets the tests call functions of it by name. */

import type { PageFailure, PageFunctions, PageGlobal } from "../page-functions.ts";

/** The type says what the tests may call: an interface that both sides import. */
export function exposeToTests<Functions extends PageFunctions<Functions>>(functions: Functions): void {
  const byName = new Map<string, (...args: unknown[]) => unknown>(Object.entries(functions));
  // The console says nothing of an eval that was refused and whose error was caught.
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile, lineNumber }) => {
    console.error(`violates ${violatedDirective}: ${blockedURI} at ${sourceFile}:${lineNumber}`);
  });
  (globalThis as PageGlobal).callPageFunction = async (name, args) => {
    try {
      await leaveDebugger();
      const run = byName.get(name);
      if (run === undefined) throw new Error(`the page has no function ${name}`);
      return { value: await run(...args) };
    } catch (error) {
      return { error: describe(error) };
    }
  };
}

/** What the debugger calls may use eval in spite of the page's policy; what a message calls may not. */
function leaveDebugger(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

function describe(error: unknown): PageFailure {
  if (!(error instanceof Error)) return { name: "unknown", message: String(error) };
  const { name, message, stack, cause } = error;
  const { code, retryable, retryAfterMs } = error as unknown as Partial<Record<string, never>>;
  return {
    name,
    message,
    stack,
    code,
    retryable,
    retryAfterMs,
    ...(cause !== undefined && { cause: describe(cause) }),
  };
}
