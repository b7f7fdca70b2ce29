import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { type Applicant, createAdmission } from "../../src/relay/admission.ts";
import { createCounters } from "../../src/relay/counters.ts";
import { resolveLimits } from "../../src/relay/limits.ts";
import { createSubscriber } from "../../src/relay/subscriber.ts";
import { createTopics, type Topics } from "../../src/relay/topics.ts";

test("whoever waits costs one look for each change, however many keys it wants", async () => {
  const counters = createCounters();
  const limits = resolveLimits({ maxSubscriptionsPerKey: 1 });
  const real = createTopics(counters);
  let looks = 0;
  const topics: Topics = {
    ...real,
    get(name) {
      looks++;
      return real.get(name);
    },
  };
  const admission = createAdmission(topics, limits, counters);
  const address = { connections: 1, subscriptions: 0, pendingBytes: 0, bucket: { used: 0, atMs: 0 } };
  const membership = real.add("full", createSubscriber(new PassThrough(), { limits, counters }));
  let admitted = 0;
  const applicants = Array.from(
    { length: 50 },
    (): Applicant => ({
      topics: [...Array.from({ length: 999 }, (_, i) => `free ${i}`), "full"],
      address,
      fullTopic: undefined,
      admit: () => void admitted++,
      refuse: () => {},
    }),
  );
  for (const applicant of applicants) admission.apply(applicant);
  expect(counters.delayed).toBe(50);
  looks = 0;
  for (let i = 0; i < 3; i++) {
    address.subscriptions++;
    admission.release(address, 1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(looks).toBe(150);
  real.remove(membership);
  address.subscriptions++;
  admission.release(address, 1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(admitted).toBe(50);
  admission.stop();
});
