import fc from "fast-check";
import { expect, test } from "vitest";
import { createLruMap } from "../src/lru-map.ts";

const step = fc.record({
  action: fc.constantFrom("set", "set", "get", "delete", "pin", "unpin"),
  key: fc.nat(9),
});

/** Least recently used first. */
class Model {
  readonly limit: number;
  keys: number[] = [];
  readonly pinned: Set<number>;
  constructor(limit: number, pinned: Set<number>) {
    this.limit = limit;
    this.pinned = pinned;
  }
  delete(key: number): void {
    this.keys = this.keys.filter((each) => each !== key);
  }
  get(key: number): boolean {
    const found = this.keys.includes(key);
    this.delete(key);
    if (found) this.keys.push(key);
    return found;
  }
  /** The keys that are forgotten. */
  set(key: number): number[] {
    this.delete(key);
    const surplus = Math.max(0, this.keys.length - this.limit + 1);
    const forgotten = this.keys.filter((each) => !this.pinned.has(each)).slice(0, surplus);
    for (const each of forgotten) this.delete(each);
    this.keys.push(key);
    return forgotten;
  }
}

test("a map forgets what was not used for longest, never what is pinned, and tells of each", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 120 }), (limit, steps) => {
      const evicted: number[] = [];
      const pinned = new Set<number>();
      const model = new Model(limit, pinned);
      const onEvict = (key: number, value: { key: number }): void => {
        expect(value.key).toBe(key);
        evicted.push(key);
      };
      const map = createLruMap<number, { key: number }>(
        () => limit,
        onEvict,
        ({ key }) => pinned.has(key),
      );
      for (const { action, key } of steps) {
        let forgotten: number[] = [];
        if (action === "pin") pinned.add(key);
        if (action === "unpin") pinned.delete(key);
        if (action === "delete") [map.delete(key), model.delete(key)];
        if (action === "get") expect(map.get(key) !== undefined).toBe(model.get(key));
        if (action === "set") {
          map.set(key, { key });
          forgotten = model.set(key);
        }
        expect(evicted.splice(0)).toEqual(forgotten);
        expect([...map.values()].map((value) => value.key)).toEqual(model.keys);
      }
    }),
    { numRuns: 1000 },
  );
});
