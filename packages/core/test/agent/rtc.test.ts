import { agentCompliance } from "@wice/core/testing";
import { describe, test } from "vitest";
import { agentOf } from "./support/implementations.ts";

describe.each([
  ["node-datachannel", "node-datachannel"],
  ["werift", "werift"],
  ["node-datachannel", "werift"],
  ["werift", "node-datachannel"],
] as const)("an agent over %s with one over %s", (first, second) => {
  const setup = async () => ({ first: await agentOf(first), second: await agentOf(second) });
  for (const { name, run } of agentCompliance({ setup, teardown: async () => {} })) test.concurrent(name, run);
});
