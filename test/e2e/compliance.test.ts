import { createBackend, type EnvelopeTransport } from "@wice/core";
import { backendCompliance, createFaultyTransport, transportCompliance } from "@wice/core/testing";
import { createGrpcTransport } from "@wice/node";
import { createRelay, type Relay } from "@wice/node/relay";
import { afterAll, beforeAll, describe, test } from "vitest";
import { createCertificate } from "../kit/certificate.ts";

interface Medium {
  readonly name: string;
  /** Connects to the relay of the medium. */
  connect(relay: Relay): EnvelopeTransport;
  start(): Promise<Relay>;
}

let certificate: Awaited<ReturnType<typeof createCertificate>>;
beforeAll(async () => {
  certificate = await createCertificate();
});

const media: readonly Medium[] = [
  {
    name: "gRPC over h2c",
    start: () => createRelay(),
    connect: (relay) => createGrpcTransport({ url: relay.url }),
  },
  {
    name: "gRPC over h2c and IPv6",
    start: () => createRelay({ host: "::1" }),
    connect: (relay) => createGrpcTransport({ url: relay.url }),
  },
  {
    name: "gRPC over TLS",
    start: () => createRelay({ tls: certificate }),
    connect: (relay) => createGrpcTransport({ url: relay.url, ca: certificate.cert }),
  },
];

for (const { name, start, connect } of media) {
  describe(name, () => {
    let relay: Relay;
    beforeAll(async () => {
      relay = await start();
    });
    afterAll(() => relay.close({ graceMs: 0 }));

    /** What one case opened. */
    const open: { close(): Promise<void> }[] = [];
    const opened = <T extends { close(): Promise<void> }>(each: T): T => {
      open.push(each);
      return each;
    };
    const teardown = async (): Promise<void> => {
      await Promise.all(open.splice(0).map((each) => each.close()));
    };

    describe("as a transport", () => {
      const setup = async () => ({ connect: () => opened(connect(relay)) });
      for (const { name: statement, run } of transportCompliance({ setup, teardown })) test(statement, run);
    });

    describe("under a backend", () => {
      const setup = async () => ({ connect: () => opened(createBackend(connect(relay))) });
      for (const { name: statement, run } of backendCompliance({ setup, teardown })) test(statement, run);
    });

    describe("under a backend, with faults", () => {
      const faults = {
        loss: 0.2,
        duplication: 0.2,
        replay: 0.1,
        reflection: 0.1,
        failure: 0.1,
        delayMs: [0, 10],
      } as const;
      const seed = Date.now() % 1_000_000;
      const setup = async () => ({
        connect() {
          const transport = createFaultyTransport(connect(relay), { faults, seed: seed + open.length });
          return opened(createBackend(transport, { retry: { initialMs: 40, maxMs: 300 } }));
        },
      });
      for (const { name: statement, run } of backendCompliance({ setup, teardown, lossy: true })) {
        test(`${statement} (seed ${seed})`, run);
      }
    });
  });
}
