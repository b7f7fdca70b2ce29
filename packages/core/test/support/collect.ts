import type { ReceivedMessage, Subscription } from "@wice/core";

/** Reads a subscription into a list that grows while the test looks at it. */
export function collect(subscription: Subscription): {
  readonly messages: ReceivedMessage[];
  readonly ended: Promise<unknown>;
} {
  const messages: ReceivedMessage[] = [];
  const ended = (async () => {
    for await (const message of subscription) messages.push(message);
  })().catch((error: unknown) => error);
  return { messages, ended };
}
