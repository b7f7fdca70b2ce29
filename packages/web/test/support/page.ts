/** The objects by which a browser tells a page what happens to it, until the end of the test. */

import { stubGlobal } from "./globals.ts";

export interface Page {
  /** Listeners that there are, on all of them. */
  readonly listeners: number;
  /** What a window hears: `online`, `pageshow` … */
  onWindow(type: string, properties?: object): void;
  onDocument(type: string): void;
  /** The document is seen, or not any more. */
  setVisible(visible: boolean): void;
  /** The device is on another network, or only its speed was estimated anew. */
  setNetwork(type: string | undefined): void;
}

export interface PageOptions {
  /** What browsers do not have everywhere. Default: all. */
  readonly without?: "document" | "connection";
  readonly visible?: boolean;
}

export function stubPage({ without, visible = true }: PageOptions = {}): Page {
  const count = { listeners: 0 };
  const window = countedTarget(count);
  const document = Object.assign(countedTarget(count), { visibilityState: visible ? "visible" : "hidden" });
  const connection = Object.assign(countedTarget(count), { type: "wifi" as string | undefined });
  stubGlobal("addEventListener", window.addEventListener.bind(window));
  stubGlobal("removeEventListener", window.removeEventListener.bind(window));
  if (without !== "document") stubGlobal("document", document);
  stubGlobal("navigator", { onLine: true, ...(without !== "connection" && { connection }) });
  return {
    get listeners() {
      return count.listeners;
    },
    onWindow: (type, properties = {}) => void window.dispatchEvent(Object.assign(new Event(type), properties)),
    onDocument: (type) => void document.dispatchEvent(new Event(type)),
    setVisible(now) {
      document.visibilityState = now ? "visible" : "hidden";
      document.dispatchEvent(new Event("visibilitychange"));
    },
    setNetwork(type) {
      connection.type = type;
      connection.dispatchEvent(new Event("change"));
    },
  };
}

function countedTarget(count: { listeners: number }): EventTarget {
  const target = new EventTarget();
  const add = target.addEventListener.bind(target);
  const remove = target.removeEventListener.bind(target);
  target.addEventListener = (...call) => {
    count.listeners += 1;
    add(...call);
  };
  target.removeEventListener = (...call) => {
    count.listeners -= 1;
    remove(...call);
  };
  return target;
}
