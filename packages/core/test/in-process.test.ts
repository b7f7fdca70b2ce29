import { createBackend, createInProcessNetwork } from "@wice/core";
import { backendCompliance, createFaultyTransport, transportCompliance } from "@wice/core/testing";
import { describe, test } from "vitest";

describe("in-process transport", () => {
  const setup = async () => createInProcessNetwork();
  const teardown = async (): Promise<void> => {};
  for (const { name, run } of transportCompliance({ setup, teardown })) test(name, run);
});

describe("backend in process", () => {
  const open: { close(): Promise<void> }[] = [];
  const setup = async () => {
    const network = createInProcessNetwork();
    return {
      connect() {
        const backend = createBackend(network.connect());
        open.push(backend);
        return backend;
      },
    };
  };
  const teardown = async (): Promise<void> => {
    await Promise.all(open.splice(0).map((backend) => backend.close()));
  };
  for (const { name, run } of backendCompliance({ setup, teardown })) test(name, run);
});

describe("backend over a faulty network", () => {
  const open: { close(): Promise<void> }[] = [];
  const faults = {
    loss: 0.3,
    duplication: 0.3,
    replay: 0.2,
    reflection: 0.1,
    corruption: 0.05,
    failure: 0.1,
    delayMs: [0, 20],
  } as const;
  let seed = 1;
  const setup = async () => {
    const network = createInProcessNetwork();
    return {
      connect() {
        const transport = createFaultyTransport(network.connect(), { faults, seed: seed++ });
        const backend = createBackend(transport, { retry: { initialMs: 30, maxMs: 200 } });
        open.push(backend);
        return backend;
      },
    };
  };
  const teardown = async (): Promise<void> => {
    await Promise.all(open.splice(0).map((backend) => backend.close()));
  };
  for (const { name, run } of backendCompliance({ setup, teardown, lossy: true })) test(name, run);
});
