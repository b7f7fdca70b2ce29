import { defineConfig } from "vitest/config";

/** Sources, not builds: the custom condition of every package's exports. */
const conditions = ["@wice/source", "node", "import", "module", "default"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"], testTimeout: 20_000, hookTimeout: 60_000 },
});
