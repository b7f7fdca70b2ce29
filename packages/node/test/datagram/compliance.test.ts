import { agentCompliance } from "@wice/core/testing";
import { datagram } from "@wice/node/datagram";
import { describe, test } from "vitest";

describe("a datagram agent with another one", () => {
  const setup = async () => ({ first: datagram(), second: datagram() });
  for (const { name, run } of agentCompliance({ setup, teardown: async () => {} })) test.concurrent(name, run);
});
