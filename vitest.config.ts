import { defineConfig } from "vitest/config";

/** Sources, not builds: the custom condition of every package's exports. */
const conditions = ["@wice/source", "node", "import", "module", "default"];

/** A suite of `npm test`, and where its tests live. */
const suite = (name: string, include: string, { maxWorkers = 2, ...options }: SuiteOptions = {}) => ({
  extends: true as const,
  // Files of suites that differ in their workers can be run by one call, one group after the other.
  test: { name, include: [include], maxWorkers, sequence: { groupOrder: maxWorkers }, ...options },
});

interface SuiteOptions {
  readonly testTimeout?: number;
  readonly hookTimeout?: number;
  readonly maxWorkers?: number;
  readonly maxConcurrency?: number;
  readonly retry?: number;
  /** What is done once, before all files of the suite. */
  readonly globalSetup?: string;
}

/**
 * Browsers, processes and networks, on machines that others use as well: what fails and then passes is shown as tried again,
 * and is worth a look; what fails three times is broken.
 */
const retry = 2;

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    allowOnly: false,
    projects: [
      // Most of them wait for timers and sockets.
      suite("unit", "packages/*/test/**/*.test.ts", { maxWorkers: 4 }),
      suite("docs", "test/docs/**/*.test.ts", { testTimeout: 60_000 }),
      suite("cli", "test/cli/**/*.test.ts", { testTimeout: 60_000, retry }),
      suite("e2e", "test/e2e/**/*.test.ts", { testTimeout: 60_000, maxWorkers: 3, retry }),
      suite("browser", "test/browser/**/*.test.ts", { testTimeout: 30_000, retry }),
      suite("kubernetes", "test/kubernetes/**/*.test.ts", {
        testTimeout: 60_000,
        maxWorkers: 1,
        retry,
        globalSetup: "test/kubernetes/shared-cluster.ts",
      }),
      suite("interop", "test/interop/**/*.test.ts", { testTimeout: 60_000, retry }),
      // What is concurrent there waits for networks to give up.
      suite("lab", "test/lab/**/*.test.ts", { testTimeout: 60_000, maxWorkers: 1, maxConcurrency: 20, retry }),
      suite("faults", "test/faults/**/*.test.ts", { testTimeout: 180_000 }),
      suite("packaging", "test/packaging/**/*.test.ts", {
        testTimeout: 60_000,
        hookTimeout: 120_000,
        globalSetup: "test/packaging/tarballs.ts",
      }),
    ],
  },
});
