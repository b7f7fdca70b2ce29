import { createConnectTransport } from "@wice/web";
import { describe, expect, test } from "vitest";
import { createCountedController } from "./support/counted-signal.ts";
import { envelopeFor, newKey } from "./support/envelopes.ts";
import { rejectionOf } from "./support/errors.ts";

const url = "http://relay.example";

/** A relay that takes every envelope for one subscriber, and never confirms a subscription. */
const fetch: typeof globalThis.fetch = (input, init) =>
  String(input).endsWith("/Publish")
    ? Promise.resolve(new Response(Uint8Array.of(0xc0, 0x3e, 1), { headers: { "content-type": "application/proto" } }))
    : new Promise((_, reject) => {
        init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
      });

describe("a transport to a relay", () => {
  test("leaves nothing on the caller's signal when it has published", async () => {
    const transport = createConnectTransport({ url, fetch, shareStream: false });
    const counted = createCountedController();
    for (let i = 0; i < 5; i++)
      expect(await transport.publish(envelopeFor(newKey()), { signal: counted.signal })).toEqual({ subscribers: 1 });
    expect(counted.listeners).toBe(0);
    await transport.close();
  });

  test.each([0, 1, 2, 3, 4, 6, 10, 20])(
    "rejects a subscribe that is aborted after %i turns with the reason",
    async (turns) => {
      const transport = createConnectTransport({ url, fetch, shareStream: false });
      const counted = createCountedController();
      const reason = new Error("enough");
      const rejected = rejectionOf(transport.subscribe(newKey(), { signal: counted.signal }));
      for (let i = 0; i < turns; i++) await undefined;
      counted.abort(reason);
      expect(await rejected).toBe(reason);
      expect(counted.listeners).toBe(0);
      await transport.close();
    },
  );

  test.each([0, 1, 2, 3, 4, 6, 10])("rejects a subscribe when it is closed after %i turns", async (turns) => {
    const transport = createConnectTransport({ url, fetch, shareStream: false });
    const rejected = rejectionOf(transport.subscribe(newKey()));
    for (let i = 0; i < turns; i++) await undefined;
    await transport.close();
    expect(await rejected).toMatchObject({ code: "closed" });
  });
});
