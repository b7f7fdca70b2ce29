/** The mutations themselves, which `npm run mutations` tries, fit the sources. Not beside them: it would find each one out. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { defectMutations, ruleMutations } from "./rules/mutation-list.ts";

const sources = join(import.meta.dirname, "../../src/session");

test.each([...ruleMutations, ...defectMutations])("there is one place to break: $rule", ({ changes }) => {
  for (const { file, text } of changes) expect(readFileSync(join(sources, file), "utf8").split(text)).toHaveLength(2);
});
