import { type Backend, createBackend, generatePrivateKey, PublicKey } from "@wice/core";
import { createGrpcTransport } from "@wice/node";
import { createRelay } from "@wice/node/relay";
import { describe, expect } from "vitest";
import { createScene, runWice, startRelay, startWice } from "../cli/wice-process.ts";
import { createCertificate } from "../kit/certificate.ts";
import { test } from "./browser-test.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function nextText(backend: Backend, ours: ReturnType<typeof generatePrivateKey>) {
  const subscription = await backend.subscribe({ ours, theirs: PublicKey.any });
  const iterator = subscription[Symbol.asyncIterator]();
  return async (): Promise<{ text: string; sender: string; instance: string | undefined }> => {
    const { value } = await iterator.next();
    const { message, sender, instance } = value;
    return { text: new TextDecoder().decode(message.payload), sender: sender.toString(), instance };
  };
}

describe("a page and a Node agent", () => {
  test.for([
    { protocol: "connect", scheme: "http" },
    { protocol: "connect", scheme: "https" },
    { protocol: "grpc-web", scheme: "http" },
    { protocol: "grpc-web", scheme: "https" },
  ] as const)("deliver to each other, the page by $protocol over $scheme", async ({ protocol, scheme }, { open }) => {
    const tls = scheme === "https" ? await createCertificate() : undefined;
    await using relay = await createRelay({ tls });
    await using page = await open();
    const { publicKey, instance } = await page.call("openPeer", "page", { relay: relay.url, protocol });
    await page.call("subscribe", "page");
    const ours = generatePrivateKey();
    await using agent = createBackend(
      createGrpcTransport({ url: relay.url, ...(tls !== undefined && { ca: tls.cert }) }),
    );
    const next = await nextText(agent, ours);

    const there = await page.call("publish", "page", `${ours.publicKey}`, "hello agent", { until: "delivered" });
    expect(there.instance).toBe(agent.instance);
    expect(await next()).toEqual({ text: "hello agent", sender: publicKey, instance });

    const pair = { ours, theirs: PublicKey.parse(publicKey) };
    const back = await agent.publish(pair, { payload: bytes("hello page") }, { until: "delivered" });
    expect(back.instance).toBe(instance);
    const received = await page.call("untilReceived", "page", "hello page");
    expect(received).toMatchObject({ sender: `${ours.publicKey}`, instance: agent.instance });
  });

  test("deliver to each other, the page with a key that only its browser has", async ({ open }) => {
    await using relay = await createRelay();
    await using page = await open();
    const { publicKey } = await page.call("openPreset", "page", { relay: relay.url, key: "page" });
    await page.call("subscribe", "page");
    const ours = generatePrivateKey();
    await using agent = createBackend(createGrpcTransport({ url: relay.url }));
    const next = await nextText(agent, ours);
    await page.call("publish", "page", `${ours.publicKey}`, "hello agent", { until: "delivered" });
    expect(await next()).toMatchObject({ text: "hello agent", sender: publicKey });
    const pair = { ours, theirs: PublicKey.parse(publicKey) };
    await agent.publish(pair, { payload: bytes("hello page") }, { until: "delivered" });
    expect((await page.call("untilReceived", "page", "hello page")).sender).toBe(`${ours.publicKey}`);
  });

  test("that send a thousand messages each way at once lose none", async ({ open }) => {
    await using relay = await createRelay();
    await using page = await open();
    const { publicKey } = await page.call("openPeer", "page", { relay: relay.url });
    await page.call("subscribe", "page");
    const ours = generatePrivateKey();
    await using agent = createBackend(createGrpcTransport({ url: relay.url }));
    const next = await nextText(agent, ours);
    const texts = Array.from({ length: 1_000 }, (_, index) => `message ${index}`);
    const pair = { ours, theirs: PublicKey.parse(publicKey) };

    const arrived = Promise.all(texts.map(async () => (await next()).text));
    await Promise.all([
      page.call("publishAll", "page", `${ours.publicKey}`, texts),
      ...texts.map((text) => agent.publish(pair, { payload: bytes(text) }, { until: "delivered" })),
    ]);
    expect((await arrived).sort()).toEqual(texts.toSorted());
    expect((await page.call("received", "page")).toSorted()).toEqual(texts.toSorted());
  });
});

test("a page and `wice` in a terminal talk both ways through `wice relay`", async ({ open }) => {
  await using folder = await createScene();
  const [alice, relay] = await Promise.all([folder.key("alice"), startRelay()]);
  await using _ = relay;
  await using page = await open();
  const { publicKey } = await page.call("openPeer", "page", { relay: relay.url });
  await page.call("subscribe", "page");
  await using inbox = await startWice(["subscribe", "--key", alice.file, "--relay", relay.url]);
  await inbox.until("stderr", /subscribed/);

  await page.call("publish", "page", alice.publicKey, '{"from":"page"}', { until: "delivered" });
  await inbox.until("stdout", /\{"from":"page"\}/);
  expect(inbox.stdout).toContain(publicKey);

  const args = ["publish", publicKey, "--key", alice.file, "--relay", relay.url, "--delivered"];
  const { code, stderr } = await runWice(args, { input: '{"from":"terminal"}\n' });
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const { sender } = await page.call("untilReceived", "page", '{"from":"terminal"}');
  expect(sender).toBe(alice.publicKey);
});

test("three tabs and `wice` in a terminal go on when `wice relay` is killed and started again", async ({ open }) => {
  await using folder = await createScene();
  const [alice, first] = await Promise.all([folder.key("alice"), startRelay()]);
  await using __ = first;
  const tabs = await Promise.all(
    ["one", "two", "three"].map(async (name) => {
      const tab = await open();
      const { publicKey } = await tab.call("openPeer", name, { relay: first.url });
      await tab.call("subscribe", name);
      return { name, tab, publicKey };
    }),
  );
  await using inbox = await startWice(["subscribe", "--key", alice.file, "--relay", first.url]);
  await inbox.until("stderr", /subscribed/);
  const talk = async (url: string, round: string): Promise<void> => {
    for (const { name, tab, publicKey } of tabs) {
      await tab.call("publish", name, alice.publicKey, `"${round} from ${name}"`, { until: "delivered" });
      await inbox.until("stdout", new RegExp(`"${round} from ${name}"`));
      const args = ["publish", publicKey, "--key", alice.file, "--relay", url, "--delivered"];
      expect(await runWice(args, { input: `"${round} to ${name}"\n` })).toMatchObject({ code: 0 });
      await tab.call("untilReceived", name, `"${round} to ${name}"`);
    }
  };

  await talk(first.url, "before");
  first.kill("SIGKILL");
  await first.ended;
  await using second = await startRelay(`127.0.0.1:${first.port}`);
  await talk(second.url, "after");
});
