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
  return verb === "list" && query.fieldSelector === undefined;
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
