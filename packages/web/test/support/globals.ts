/** The globals of a browser, where a test needs them. */

import { onTestFinished } from "vitest";

/** Until the end of the test. */
export function stubGlobal(name: string, value: unknown): void {
  stubProperty(globalThis, name, value);
}

/** Until the end of the test. */
export function stubProperty(object: object, name: string, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(object, name);
  Object.defineProperty(object, name, { value, configurable: true, writable: true });
  onTestFinished(() => {
    if (before === undefined) Reflect.deleteProperty(object, name);
    else Object.defineProperty(object, name, before);
  });
}
