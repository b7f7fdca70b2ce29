import { PublicKey, WiceError } from "@wice/core";
import { describe, expect, test } from "vitest";
import { abortEverywhere, type Operation, type Scene } from "./support/abort-everywhere.ts";
import { bytes } from "./support/text.ts";

const toBob = ({ alice, bob }: Scene) => ({ ours: alice.key, theirs: bob.key.publicKey });
const message = { payload: bytes("hello") };
const listen = ({ bob }: Scene) => bob.backend.subscribe({ ours: bob.key, theirs: PublicKey.any });
const publish =
  (until: "accepted" | "delivered"): Operation["run"] =>
  async (scene, signal) => {
    await scene.alice.backend.publish(toBob(scene), message, { until, signal });
    return undefined;
  };

const operations: Record<string, Operation> = {
  "publishing to somebody new": { run: publish("accepted") },
  "publishing to somebody known": {
    prepare: (scene) => scene.alice.backend.publish(toBob(scene), message),
    run: publish("accepted"),
  },
  "publishing while the relay fails": {
    async prepare(scene) {
      let failures = 5;
      scene.relay.filter = () => {
        if (failures-- > 0) throw new WiceError("unavailable", "not now", { retryable: true });
        return true;
      };
    },
    run: publish("accepted"),
  },
  "delivering to one who listens": { prepare: listen, run: publish("delivered") },
  "delivering while envelopes are lost": {
    async prepare(scene) {
      // Two questions, one receipt, and the message once.
      let count = 0;
      scene.relay.filter = () => ![0, 1, 3, 5].includes(count++);
      await listen(scene);
    },
    run: publish("delivered"),
  },
  subscribing: {
    run: ({ alice, bob }, signal) =>
      alice.backend.subscribe({ ours: alice.key, theirs: bob.key.publicKey }, { signal }),
  },
  "subscribing a second time": {
    prepare: ({ alice }) => alice.backend.subscribe({ ours: alice.key, theirs: PublicKey.any }),
    run: ({ alice, bob }, signal) =>
      alice.backend.subscribe({ ours: alice.key, theirs: bob.key.publicKey }, { signal }),
  },
};

describe.each(Object.entries(operations))("%s", (_, operation) => {
  test("can be aborted at any point: it rejects with the reason, and nothing is left", async () => {
    expect(await abortEverywhere("abort", operation)).toBeGreaterThan(1);
  });

  test("can be met by the end of its backend at any point, and nothing is left", async () => {
    expect(await abortEverywhere("close", operation)).toBeGreaterThan(1);
  });
});
