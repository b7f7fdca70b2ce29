/** Two backends of one page, as `openBackend` makes them, with keys of their own: else others would get it all too. */

import { type OpenBackendOptions, openBackend } from "@wice/web";
import { type PassMessage, payloadBytes } from "./pass-message.ts";

export async function openBackends(
  name: string,
  relay: string,
  connect: OpenBackendOptions["connect"] = {},
): Promise<PassMessage> {
  const [alice, bob] = await Promise.all([
    openBackend({ relay, connect, key: `alice, ${name}` }),
    openBackend({ relay, connect, key: `bob, ${name}` }),
  ]);
  const pair = { ours: alice.privateKey, theirs: bob.privateKey.publicKey };
  const subscription = await bob.backend.subscribe({ ours: bob.privateKey, theirs: alice.privateKey.publicKey });
  const messages = subscription[Symbol.asyncIterator]();
  const payload = crypto.getRandomValues(new Uint8Array(payloadBytes));
  return async () => {
    await Promise.all([messages.next(), alice.backend.publish(pair, { payload })]);
  };
}
