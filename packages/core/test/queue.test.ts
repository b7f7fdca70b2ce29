import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createQueue, type Queue } from "../src/async/queue.ts";

type Outcome = { readonly value: number } | { readonly error: string } | "end";

/** What a queue should do, with everything written down at once. */
class Model {
  readonly limit: number;
  items: number[] = [];
  waiting: ((outcome: Outcome) => void)[] = [];
  end: { error?: string } | undefined;
  ends = 0;
  constructor(limit: number) {
    this.limit = limit;
  }
  push(item: number, dropOldest: boolean): boolean {
    if (this.end !== undefined) return false;
    const first = this.waiting.shift();
    if (first !== undefined) {
      first({ value: item });
      return true;
    }
    if (this.items.length < this.limit) return this.items.push(item) > 0;
    if (dropOldest) this.items = [...this.items.slice(1), item];
    return false;
  }
  finish(end: { error?: string }): void {
    if (this.end !== undefined) return;
    this.end = end;
    this.ends += 1;
    for (const waiting of this.waiting.splice(0)) waiting(this.last());
  }
  last(): Outcome {
    const error = this.end?.error;
    this.end = {};
    return error === undefined ? "end" : { error };
  }
  next(): Promise<Outcome> {
    const item = this.items.shift();
    if (item !== undefined) return Promise.resolve({ value: item });
    if (this.end !== undefined) return Promise.resolve(this.last());
    return new Promise((resolve) => this.waiting.push(resolve));
  }
  return(): void {
    this.items = [];
    if (this.end !== undefined) this.end = {};
    this.finish({});
  }
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.constant("push" as const) },
  { weight: 2, arbitrary: fc.constant("push dropping the oldest" as const) },
  { weight: 5, arbitrary: fc.constant("next" as const) },
  { weight: 1, arbitrary: fc.constantFrom("end" as const, "fail" as const, "return" as const) },
);

describe("a queue", () => {
  test("does what its model does, whatever is called in whatever order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 40 }), async (limit, steps) => {
        const model = new Model(limit);
        let ends = 0;
        const queue: Queue<number> = createQueue(limit, () => {
          ends += 1;
        });
        const iterator = queue[Symbol.asyncIterator]();
        const expected: (Outcome | "waits")[] = [];
        const actual: (Outcome | "waits")[] = [];
        for (const [index, action] of steps.entries()) {
          if (action === "push") expect(queue.push(index)).toBe(model.push(index, false));
          if (action === "push dropping the oldest")
            expect(queue.pushDroppingOldest(index)).toBe(model.push(index, true));
          if (action === "end") [queue.end(), model.finish({})];
          if (action === "fail") [queue.fail(`${index}`), model.finish({ error: `${index}` })];
          if (action === "return") [void iterator.return?.(), model.return()];
          if (action === "next") {
            const at = expected.push("waits") - 1;
            actual.push("waits");
            void model.next().then((outcome) => {
              expected[at] = outcome;
            });
            iterator.next().then(
              ({ done, value }) => {
                actual[at] = done === true ? "end" : { value };
              },
              (error: string) => {
                actual[at] = { error };
              },
            );
          }
          expect(queue.size).toBe(model.items.length);
          expect(queue.size).toBeLessThanOrEqual(limit);
        }
        await new Promise(setImmediate);
        expect(actual).toEqual(expected);
        expect(ends).toBe(model.ends);
      }),
      { numRuns: 500 },
    );
  });

  test("is left by breaking out of a loop over it", async () => {
    let ended = false;
    const queue = createQueue<number>(10, () => {
      ended = true;
    });
    queue.push(1);
    queue.push(2);
    for await (const item of queue) {
      expect(item).toBe(1);
      break;
    }
    expect([ended, queue.push(3), queue.size]).toEqual([true, false, 0]);
  });
});
