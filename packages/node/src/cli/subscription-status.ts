/** What a person who waits for messages is told about the relay. */

import type { Backend } from "@wice/core";
import type { Output } from "./output.ts";

/** Resolves when the backend closes. Says the same thing once, however often it happens. */
export async function reportStatus(backend: Backend, notes: Output): Promise<void> {
  const { dim, green, yellow } = notes.style;
  let seen = false;
  let last = "";
  for await (const status of backend.status()) {
    switch (status.type) {
      case "subscribed":
        await notes.line(`${green("subscribed")}${seen ? " again" : ` to ${status.key}`}`);
        seen = true;
        last = "";
        break;
      case "lost": {
        const { message } = status.error;
        if (message === last) break;
        last = message;
        const what = seen ? yellow("lost") : yellow("waiting for the relay");
        await notes.line(`${what}: ${message} ${dim(`(retrying in ${(status.retryInMs / 1000).toFixed(1)} s)`)}`);
        break;
      }
      // It is the error that the command ends with.
      case "refused":
        break;
    }
  }
}
