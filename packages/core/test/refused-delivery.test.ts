import { createBackend, generatePrivateKey, WiceError, type WiceErrorCode } from "@wice/core";
import { createVirtualClock } from "@wice/core/testing";
import { expect, test } from "vitest";
import { collect } from "./support/collect.ts";
import { hasCode, rejectionOf } from "./support/errors.ts";
import { createTestRelay } from "./support/relay.ts";
import { bytes } from "./support/text.ts";

test.each(["closed", "permission-denied", "protocol", "too-large"] satisfies WiceErrorCode[])(
  "a transport that passes a message on and then says %s does not make it undelivered",
  async (code) => {
    const clock = createVirtualClock();
    const relay = createTestRelay();
    const [alice, bob] = [generatePrivateKey(), generatePrivateKey()];
    let published = 0;
    const liar = relay.connect((transport) => ({
      async publish(envelope, options) {
        const receipt = await transport.publish(envelope, options);
        published += 1;
        // The first is the question who is there.
        if (published > 1) throw new WiceError(code, "refused");
        return receipt;
      },
    }));
    const alices = createBackend(liar, { clock });
    const bobs = createBackend(
      relay.connect((transport) => ({ ...muteAfterOne(transport) })),
      { clock },
    );
    const { messages } = collect(await bobs.subscribe({ ours: bob, theirs: alice.publicKey }));
    const pair = { ours: alice, theirs: bob.publicKey };
    const delivery = rejectionOf(alices.publish(pair, { payload: bytes("command") }, { until: "delivered" }));
    expect(await clock.runUntil(delivery)).toEqual(hasCode("delivery-unknown"));
    expect(messages.length).toBe(1);
    await Promise.all([alices.close(), bobs.close()]);
  },
);

/** Lets one receipt through, the answer to the question, and loses the others. */
function muteAfterOne<T extends { publish(...call: never[]): Promise<object> }>(transport: T): Pick<T, "publish"> {
  let published = 0;
  const publish = (async (...call: Parameters<T["publish"]>) => {
    published += 1;
    return published > 1 ? {} : transport.publish(...call);
  }) as T["publish"];
  return { publish };
}
