import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../tools/command.ts";

const bench = (...args: string[]) => run("npm", ["run", "--silent", "bench", "--", ...args]);

test("npm run bench measures the topics that it is asked for, in a table and in JSON", async () => {
  const folder = await mkdtemp(join(tmpdir(), "wice-bench-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "bench.json");
  const printed = await bench("--quick", "crypto", "--json", file);
  expect(printed).toMatch(/^seal 200 bytes( +[\d.]+){5}$/m);
  expect(printed).toMatch(/^(held|MISSED) +open 200 bytes: [\d.]+ µs, at most 10 µs$/m);
  expect(printed).not.toContain("Relay:");

  const { machine, topics } = JSON.parse(await readFile(file, "utf8"));
  expect(machine.cores).toBeGreaterThan(0);
  expect(topics).toEqual([
    expect.objectContaining({
      name: "crypto",
      method: expect.stringContaining("Median"),
      bars: [
        { what: "seal 200 bytes", limit: 10, unit: " µs", value: expect.any(Number), held: expect.any(Boolean) },
        { what: "open 200 bytes", limit: 10, unit: " µs", value: expect.any(Number), held: expect.any(Boolean) },
      ],
    }),
  ]);
  const [{ table }] = topics;
  for (const row of table.rows) expect(row).toHaveLength(table.columns.length);
});

test("npm run bench says which topics there are when it is asked for another", async () => {
  await expect(bench("speed")).rejects.toThrow(/no topic "speed"; there are: relay-cpu, .*crypto/);
});
