import { generatePrivateKey, type WiceError } from "@wice/core";
import { expect, test } from "vitest";
import {
  added,
  answerJson,
  newEnvelope,
  refuse,
  type ScriptedRequest,
  scriptedApi,
  startWatch,
  stored,
} from "./scripted-api.ts";

const recipient = generatePrivateKey().publicKey;
const sweeps = { lifetimeMs: 60_000, sweepIntervalMs: 50 };

function isSweep({ verb, query }: ScriptedRequest): boolean {
  return verb === "list" && query.limit === "100";
}

/** A cluster whose clock is two hours behind ours, with an envelope of each age in seconds. */
function clusterWith(agesSeconds: readonly number[]): (request: ScriptedRequest) => void {
  const now = Math.floor(Date.now() / 1_000) * 1_000 - 7_200_000;
  return (request) => {
    const items = agesSeconds.map((age) => ({
      metadata: { name: `aged-${age}`, creationTimestamp: new Date(now - age * 1_000).toISOString() },
    }));
    const body = { metadata: { resourceVersion: "100" }, items: isSweep(request) ? items : [] };
    answerJson(request, body, 200, { date: new Date(now).toUTCString() });
  };
}

test("a subscriber removes strangers' envelopes that outlived their time by the cluster's clock", async () => {
  const api = await scriptedApi({ list: clusterWith([200, 100, 61, 60, 1]) });
  await api.connect(sweeps).subscribe(recipient);
  await api.request("delete", 2);
  const names = api.requests.filter(({ verb }) => verb === "delete").map(({ name }) => name);
  expect(new Set(names.slice(0, 3))).toEqual(new Set(["aged-200", "aged-100", "aged-61"]));
  expect(names).not.toContain("aged-60");
  expect(names).not.toContain("aged-1");
});

test("one look removes no more than it may", async () => {
  const ages = Array.from({ length: 30 }, (_, i) => 1_000 - i);
  const api = await scriptedApi({ list: clusterWith(ages), delete: (request) => refuse(request, 404) });
  await api.connect({ ...sweeps, maxSweptEnvelopes: 5 }).subscribe(recipient);
  await expect.poll(() => api.requests.filter(isSweep).length).toBeGreaterThan(1);
  const second = api.requests.findIndex((request, i) => isSweep(request) && api.requests.slice(0, i).some(isSweep));
  const between = api.requests.slice(0, second).filter(({ verb }) => verb === "delete");
  expect(between.length).toBeLessThanOrEqual(5);
});

test("envelopes that somebody keeps from being removed do not stand in the way of others", async () => {
  const now = Math.floor(Date.now() / 1_000) * 1_000;
  const ages = Array.from({ length: 30 }, (_, i) => 1_000 - i);
  const api = await scriptedApi({
    list(request) {
      const items = ages.map((age) => ({
        metadata: {
          name: `aged-${age}`,
          creationTimestamp: new Date(now - age * 1_000).toISOString(),
          // With a finalizer, an object stays after its deletion until somebody takes that away, which agents must not.
          ...(age > 971 && { deletionTimestamp: new Date(now).toISOString() }),
        },
      }));
      const body = { metadata: { resourceVersion: "100" }, items: isSweep(request) ? items : [] };
      answerJson(request, body, 200, { date: new Date(now).toUTCString() });
    },
  });
  await api.connect({ ...sweeps, maxSweptEnvelopes: 5 }).subscribe(recipient);
  expect((await api.request("delete")).name).toBe("aged-971");
});

/** Lists what was published, as long ago as its time is over, and refuses the first `away` looks. */
async function clusterThatKeeps(away = 0) {
  const names: string[] = [];
  let looks = 0;
  return await scriptedApi({
    create(request) {
      names.push(JSON.parse(request.body).metadata.name);
      answerJson(request, {}, 201);
    },
    list(request) {
      looks += 1;
      if (looks <= away) return refuse(request, 503);
      const creationTimestamp = new Date(Date.now() - 60_000).toISOString();
      const strangers = Array.from({ length: 5 }, (_, i) => ({ metadata: { name: `0-${i}`, creationTimestamp } }));
      const ours = names.map((name) => ({ metadata: { name, creationTimestamp } }));
      const body = { metadata: { resourceVersion: "100" }, items: [...strangers, ...ours] };
      answerJson(request, body, 200, { date: new Date().toUTCString() });
    },
  });
}

test("a publisher removes all of its own, however few of anybody's it may remove", async () => {
  const api = await clusterThatKeeps();
  const transport = api.connect({ lifetimeMs: 100, maxSweptEnvelopes: 2 });
  for (let i = 0; i < 10; i++) await transport.publish(newEnvelope(recipient));
  await api.request("delete", 11);
  const names = api.requests.filter(({ verb }) => verb === "delete").map(({ name }) => name);
  expect(names.filter((name) => name.startsWith("0-"))).toHaveLength(2);
  // There are more: it looks again, though all of its own are gone.
  await expect.poll(() => api.requests.filter(isSweep).length, { timeout: 5_000 }).toBeGreaterThan(1);
});

test("a publisher whose look fails looks again", async () => {
  const api = await clusterThatKeeps(1);
  await api.connect({ lifetimeMs: 100 }).publish(newEnvelope(recipient));
  await api.request("delete");
});

test("a look goes on for as long as it finds something, and is not troubled by a list that expires", async () => {
  const now = Math.floor(Date.now() / 1_000) * 1_000;
  const failures: WiceError[] = [];
  let pages = 0;
  const api = await scriptedApi({
    list(request) {
      if (!isSweep(request) || request.query.limit === "1")
        return answerJson(request, { metadata: { resourceVersion: "1" } });
      pages = request.query.continue === undefined ? 1 : pages + 1;
      if (pages > 8) return refuse(request, 410, { reason: "Expired" });
      const creationTimestamp = new Date(now - (pages === 8 ? 100_000 : 0)).toISOString();
      const items = Array.from({ length: 70 }, (_, i) => ({ metadata: { name: `${pages}-${i}`, creationTimestamp } }));
      answerJson(request, { metadata: { resourceVersion: "1", continue: "more" }, items }, 200, {
        date: new Date(now).toUTCString(),
      });
    },
  });
  const onCleanUpFailed = (error: WiceError) => failures.push(error);
  await api.connect({ ...sweeps, onCleanUpFailed }).subscribe(recipient);
  expect((await api.request("delete")).name).toMatch(/^8-/);
  await expect.poll(() => api.requests.filter(({ query }) => query.continue === undefined).length).toBeGreaterThan(3);
  expect(failures).toEqual([]);
});

test("a publisher looks once the time of its envelope is over", async () => {
  const api = await scriptedApi();
  await api.connect({ lifetimeMs: 100 }).publish(newEnvelope(recipient));
  const { query } = await api.request("list");
  expect(query).toEqual({ limit: "100" });
});

test("what another replica removes first is not removed again", async () => {
  const objects = [stored(newEnvelope(recipient), 101), stored(newEnvelope(recipient), 102)];
  const [first, second] = objects as [(typeof objects)[0], (typeof objects)[0]];
  const api = await scriptedApi({
    watch: (request) => startWatch(request, added(first), { type: "DELETED", object: first }, added(second)),
  });
  const transport = api.connect();
  const iterator = (await transport.subscribe(recipient))[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.next();
  // It removes what it has not come to yet.
  await transport.close();
  expect(api.requests.filter(({ verb }) => verb === "delete").map(({ name }) => name)).toEqual([second.metadata.name]);
});

test("a deletion that fails in passing is tried again, and one that is refused is reported", async () => {
  let deletions = 0;
  const failures: WiceError[] = [];
  const object = stored(newEnvelope(recipient), 101);
  const api = await scriptedApi({
    watch: (request) => startWatch(request, added(object)),
    delete(request) {
      deletions += 1;
      refuse(request, deletions === 1 ? 503 : 400);
    },
  });
  const onCleanUpFailed = (error: WiceError) => failures.push(error);
  await api.connect({ onCleanUpFailed }).subscribe(recipient);
  await api.request("delete", 1);
  await expect.poll(() => failures).toMatchObject([{ code: "protocol", retryable: false }]);
});

test("closing removes what was taken and what was published, and waits for no API server that is away", async () => {
  const object = stored(newEnvelope(recipient), 101);
  const api = await scriptedApi({ watch: (request) => startWatch(request, added(object)) });
  const transport = api.connect();
  const subscription = await transport.subscribe(recipient);
  await subscription[Symbol.asyncIterator]().next();
  await transport.publish(newEnvelope(recipient));
  await transport.close();
  const names = api.requests.filter(({ verb }) => verb === "delete").map(({ name }) => name);
  expect(names).toHaveLength(2);
  expect(names).toContain(object.metadata.name);

  const deaf = await scriptedApi({ delete: () => {} });
  const other = deaf.connect();
  await other.publish(newEnvelope(recipient));
  const start = performance.now();
  await other.close();
  expect(performance.now() - start).toBeLessThan(5_000);
});
