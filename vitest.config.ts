import { defineConfig } from "vitest/config";

/** Sources, not builds: the custom condition of every package's exports. */
const conditions = ["@wice/source", "node", "import", "module", "default"];

/** A suite of `npm test`, and where its tests live. */
const suite = (name: string, include: string, limits: { testTimeout?: number; maxWorkers?: number } = {}) => ({
  extends: true as const,
  test: { name, include: [include], ...limits },
});

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    allowOnly: false,
    maxWorkers: 2,
    projects: [
      suite("unit", "packages/*/test/**/*.test.ts"),
      suite("docs", "test/docs/**/*.test.ts", { testTimeout: 60_000 }),
      suite("cli", "test/cli/**/*.test.ts", { testTimeout: 60_000 }),
      suite("e2e", "test/e2e/**/*.test.ts", { testTimeout: 60_000 }),
      suite("browser", "test/browser/**/*.test.ts", { testTimeout: 30_000 }),
      suite("interop", "test/interop/**/*.test.ts", { testTimeout: 60_000 }),
      suite("faults", "test/faults/**/*.test.ts", { testTimeout: 180_000 }),
    ],
  },
});
