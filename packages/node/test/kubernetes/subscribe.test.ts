import { type Envelope, type EnvelopeSubscription, generatePrivateKey } from "@wice/core";
import { expect, test } from "vitest";
import type { EnvelopeObject } from "../../src/kubernetes/resource.ts";
import {
  added,
  answerJson,
  answerList,
  bookmark,
  newEnvelope,
  refuse,
  scriptedApi,
  startWatch,
  stored,
} from "./scripted-api.ts";

const recipient = generatePrivateKey().publicKey;

/** One iterator for a whole test. */
function reader(subscription: EnvelopeSubscription): () => Promise<Envelope> {
  const iterator = subscription[Symbol.asyncIterator]();
  return async () => {
    const { done, value } = await iterator.next();
    return done === true ? expect.unreachable("it has ended") : value;
  };
}

test("begins at the version of the list, by its own key, and never with what was there before", async () => {
  const old = stored(newEnvelope(recipient), 90);
  const api = await scriptedApi({ list: (request) => answerList(request, 100, [old]) });
  const envelope = newEnvelope(recipient);
  const next = reader(await api.connect().subscribe(recipient));
  const { query, answer } = await api.request("watch");
  expect(query).toMatchObject({ resourceVersion: "100", allowWatchBookmarks: "true" });
  expect(query.fieldSelector).toBe(`recipient=${recipient.toString().slice(0, -1)}\\=`);
  answer.write(`${JSON.stringify(added(stored(envelope, 101)))}\n`);
  expect((await next()).nonce).toEqual(envelope.nonce);
});

test("goes on where it was when the API server ends the watch, and after bookmarks", async () => {
  const [first, second] = [newEnvelope(recipient), newEnvelope(recipient)];
  let watches = 0;
  const api = await scriptedApi({
    watch(request) {
      watches += 1;
      if (watches === 1) startWatch(request, added(stored(first, 101)));
      else if (watches === 2) startWatch(request, bookmark(150));
      else startWatch(request, added(stored(second, 151)));
      if (watches < 3) request.answer.end();
    },
  });
  const next = reader(await api.connect().subscribe(recipient));
  expect((await next()).nonce).toEqual(first.nonce);
  expect((await next()).nonce).toEqual(second.nonce);
  expect((await api.request("watch", 1)).query.resourceVersion).toBe("101");
  expect((await api.request("watch", 2)).query.resourceVersion).toBe("150");
  expect(api.requests.filter(({ verb }) => verb === "list")).toHaveLength(1);
});

const gone = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };

test.for(["as an event", "as a status"])("lists what it missed when its version is forgotten (410 %s)", async (how) => {
  const [seen, missed, later] = [newEnvelope(recipient), newEnvelope(recipient), newEnvelope(recipient)];
  let watches = 0;
  const api = await scriptedApi({
    list(request) {
      if (request.query.resourceVersion !== "0") answerList(request, 100);
      // What is there comes in the order of its names.
      else answerList(request, 200, [stored(missed, 150), stored(seen, 101)]);
    },
    watch(request) {
      watches += 1;
      if (watches === 1) {
        const end = how === "as an event" ? [{ type: "ERROR", object: gone }] : [];
        startWatch(request, added(stored(seen, 101)), ...end);
        request.answer.end();
      } else if (watches === 2 && how === "as a status") refuse(request, 410, gone);
      else startWatch(request, added(stored(later, 201)));
    },
  });
  const next = reader(await api.connect().subscribe(recipient));
  const nonces = [(await next()).nonce, (await next()).nonce, (await next()).nonce];
  expect(nonces).toEqual([seen.nonce, missed.nonce, later.nonce]);
  expect(api.requests.filter(({ verb }) => verb === "watch").at(-1)?.query.resourceVersion).toBe("200");
});

/** Its subscriptions are lost after version 101, and that is forgotten when they come back. */
async function forgetfulApi(items: () => readonly EnvelopeObject[], watch = startWatch) {
  let watches = 0;
  const api = await scriptedApi({
    list: (request) =>
      request.query.resourceVersion === "0" ? answerList(request, 200, items()) : answerList(request, 100),
    watch(request) {
      watches += 1;
      if (watches === 1) startWatch(request, added(stored(newEnvelope(recipient), 101)));
      else if (request.query.resourceVersion === "101") refuse(request, 410, gone);
      else watch(request);
    },
  });
  const transport = api.connect();
  const next = reader(await transport.subscribe(recipient));
  await next();
  await api.goAway();
  await expect(next()).rejects.toMatchObject({ code: "unavailable", retryable: true });
  await api.comeBack();
  return { api, transport };
}

test("is live again however much it missed, and before anybody reads", async () => {
  const envelopes = Array.from({ length: 200 }, () => newEnvelope(recipient));
  const { transport } = await forgetfulApi(() => envelopes.map((envelope, i) => stored(envelope, 102 + (i % 90))));
  const next = reader(await transport.subscribe(recipient));
  for (const { nonce } of envelopes) expect((await next()).nonce).toEqual(nonce);
});

test("takes nothing away that nobody reads any more", async () => {
  const missed = Array.from({ length: 200 }, () => newEnvelope(recipient));
  const { api, transport } = await forgetfulApi(() => missed.map((envelope, i) => stored(envelope, 102 + (i % 90))));
  const subscription = await transport.subscribe(recipient);
  // 64 wait for a reader, and one for room.
  await api.request("delete", 64);
  await subscription.close();
  await transport.close();
  // Of the first watch there was one, too.
  expect(api.requests.filter(({ verb }) => verb === "delete").length).toBeLessThanOrEqual(66);
});

test("what it missed is not forgotten when the watch after the list fails", async () => {
  const missed = newEnvelope(recipient);
  let refusals = 1;
  const { transport } = await forgetfulApi(
    () => [stored(missed, 150)],
    (request) => (refusals-- > 0 ? refuse(request, 503) : startWatch(request)),
  );
  await expect(transport.subscribe(recipient)).rejects.toMatchObject({ code: "unavailable", retryable: true });
  const next = reader(await transport.subscribe(recipient));
  expect((await next()).nonce).toEqual(missed.nonce);
});

test("goes on without what it missed where that is too much", async () => {
  const huge = { ...stored(newEnvelope(recipient), 150), padding: "x".repeat(40_000_000) };
  const later = newEnvelope(recipient);
  const { transport } = await forgetfulApi(
    () => [huge],
    (request) => startWatch(request, added(stored(later, 201))),
  );
  const next = reader(await transport.subscribe(recipient));
  expect((await next()).nonce).toEqual(later.nonce);
});

test("does not ask on and on where every version is forgotten at once", async () => {
  const api = await scriptedApi({ watch: (request) => startWatch(request, { type: "ERROR", object: gone }) });
  const next = reader(await api.connect().subscribe(recipient));
  await expect(next()).rejects.toMatchObject({ code: "unavailable", retryable: true });
});

test("asks for the version without a look at everybody's envelopes", async () => {
  const api = await scriptedApi();
  await api.connect().subscribe(recipient);
  expect((await api.request("list")).query).toEqual({ limit: "1" });
});

test("opens a watch anew that is silent for too long", async () => {
  const api = await scriptedApi();
  await api.connect({ silenceTimeoutMs: 1_100 }).subscribe(recipient);
  await api.request("watch", 1);
});

test("is lost with the API server, and goes on where it was when it is asked for again", async () => {
  const [first, meanwhile] = [newEnvelope(recipient), newEnvelope(recipient)];
  let watches = 0;
  const api = await scriptedApi({
    watch(request) {
      watches += 1;
      startWatch(request, added(watches === 1 ? stored(first, 101) : stored(meanwhile, 102)));
    },
  });
  const transport = api.connect();
  const next = reader(await transport.subscribe(recipient));
  await next();
  await api.goAway();
  await expect(next()).rejects.toMatchObject({ code: "unavailable", retryable: true });
  await expect(transport.subscribe(recipient)).rejects.toMatchObject({ code: "unavailable", retryable: true });
  await api.comeBack();
  const again = reader(await transport.subscribe(recipient));
  expect((await again()).nonce).toEqual(meanwhile.nonce);
  expect((await api.request("watch", 1)).query.resourceVersion).toBe("101");
  expect(api.requests.filter(({ verb }) => verb === "list")).toHaveLength(1);
});

test("does not ask on and on where watches end at once", async () => {
  const api = await scriptedApi({
    watch(request) {
      startWatch(request);
      request.answer.end();
    },
  });
  const next = reader(await api.connect().subscribe(recipient));
  await expect(next()).rejects.toMatchObject({ code: "unavailable", retryable: true });
});

test("picks its own where the API server cannot select by field", async () => {
  const [foreign, ours] = [newEnvelope(generatePrivateKey().publicKey), newEnvelope(recipient)];
  const api = await scriptedApi({
    watch(request) {
      if (request.query.fieldSelector === undefined) {
        startWatch(request, added(stored(foreign, 101)), added(stored(ours, 102)));
      } else refuse(request, 400, { reason: "BadRequest", message: "field label not supported: recipient" });
    },
  });
  const next = reader(await api.connect().subscribe(recipient));
  expect((await next()).nonce).toEqual(ours.nonce);
  expect((await api.request("watch", 1)).query.fieldSelector).toBeUndefined();
  expect((await api.request("delete")).name).not.toBe("");
  expect(api.requests.filter(({ verb }) => verb === "delete")).toHaveLength(1);
});

test("drops, counts and removes what is no envelope, or too large", async () => {
  const good = newEnvelope(recipient);
  const bad = stored(newEnvelope(recipient), 101);
  const events = [
    added({ ...bad, contents: { body: "not base64!", nonce: bad.contents.nonce } }),
    added({ ...bad, metadata: { ...bad.metadata, name: "b" }, sender: "AAAA" }),
    added({ ...bad, metadata: { ...bad.metadata, name: "c" }, contents: undefined }),
    added(stored(newEnvelope(recipient, 1_001), 102)),
    added(stored(good, 103)),
  ];
  const api = await scriptedApi({ watch: (request) => startWatch(request, ...events) });
  const transport = api.connect({ maxEnvelopeBytes: 1_000 });
  const next = reader(await transport.subscribe(recipient));
  expect((await next()).nonce).toEqual(good.nonce);
  expect(transport.dropped).toEqual({ malformed: 3, oversized: 1 });
  await api.request("delete", 4);
});

test("that is not read holds the API server back, and loses nothing", async () => {
  const envelopes = Array.from({ length: 300 }, () => newEnvelope(recipient, 20_000));
  let sent = 0;
  const api = await scriptedApi({
    async watch(request) {
      startWatch(request);
      for (const [index, envelope] of envelopes.entries()) {
        const line = `${JSON.stringify(added(stored(envelope, 101 + index)))}\n`;
        if (!request.answer.write(line)) await new Promise((resolve) => request.answer.once("drain", resolve));
        sent += 1;
      }
    },
  });
  const next = reader(await api.connect().subscribe(recipient));
  // 64 are taken, and what the network holds waits there: well under all 8 MB.
  await api.request("delete", 63);
  await expect.poll(() => sent).toBeGreaterThan(64);
  const held = sent;
  expect(held).toBeLessThan(300);
  for (const { nonce } of envelopes) expect((await next()).nonce).toEqual(nonce);
});

test("what answers without being an API server is said to be none", async () => {
  const html = await scriptedApi({ list: ({ answer }) => answer.end("<html>") });
  await expect(html.connect().subscribe(recipient)).rejects.toMatchObject({ code: "protocol", retryable: false });
  const garbage = await scriptedApi({
    watch({ answer }) {
      answer.write("hello\n");
    },
  });
  const next = reader(await garbage.connect().subscribe(recipient));
  await expect(next()).rejects.toMatchObject({ code: "unavailable", cause: { code: "protocol" } });
  const array = await scriptedApi({ list: (request) => answerJson(request, []) });
  await expect(array.connect().subscribe(recipient)).rejects.toMatchObject({ code: "protocol" });
});

test("a subscription and a publication that wait for the API server are ended by close, which says so", async () => {
  const api = await scriptedApi({ list: () => {}, create: () => {} });
  const transport = api.connect();
  const calls = Promise.allSettled([transport.subscribe(recipient), transport.publish(newEnvelope(recipient))]);
  await Promise.all([api.request("list"), api.request("create")]);
  await transport.close();
  const closed = { status: "rejected", reason: { code: "closed" } };
  expect(await calls).toMatchObject([closed, closed]);
});

test("leaves no connection open, however it ends", async () => {
  const api = await scriptedApi();
  const transport = api.connect();
  const aborting = new AbortController();
  const aborted = reader(await transport.subscribe(recipient, { signal: aborting.signal }));
  const closed = await transport.subscribe(recipient);
  await transport.subscribe(generatePrivateKey().publicKey);
  // Three watches, and those for short requests.
  const before = await api.connections();
  expect(before).toBeGreaterThan(3);
  aborting.abort(new Error("enough"));
  await expect(aborted()).rejects.toThrow("enough");
  await closed.close();
  await expect.poll(() => api.connections()).toBe(before - 2);
  await transport.publish(newEnvelope(recipient));
  await transport.close();
  await expect.poll(() => api.connections()).toBe(0);
});
