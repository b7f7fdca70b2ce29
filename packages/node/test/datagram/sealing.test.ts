import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type EphemeralKey, ephemeralKeyFrom, generateEphemeralKey } from "../../src/datagram/ephemeral-key.ts";
import { agreeSealingKeys, createSealing, type Sealing, sealedOverheadBytes } from "../../src/datagram/sealing.ts";

interface Vectors {
  readonly sessions: readonly {
    readonly controllingSecret: string;
    readonly controllingKey: string;
    readonly controlledSecret: string;
    readonly controlledKey: string;
    readonly keys: { readonly controlling: string; readonly controlled: string };
    readonly datagrams: readonly {
      readonly sender: "controlling" | "controlled";
      readonly kind: number;
      readonly counter: number;
      readonly payload: string;
      readonly sealed: string;
    }[];
  }[];
}

const vectors = JSON.parse(readFileSync(new URL("./vectors/sealing.json", import.meta.url), "utf8")) as Vectors;
const hex = (text: string): Buffer => Buffer.from(text, "hex");

describe("the vectors", () => {
  test.each(vectors.sessions)("session of $controllingKey", (session) => {
    const one = ephemeralKeyFrom(hex(session.controllingSecret));
    const two = ephemeralKeyFrom(hex(session.controlledSecret));
    expect(Buffer.from(one.publicKey)).toEqual(hex(session.controllingKey));
    expect(Buffer.from(two.publicKey)).toEqual(hex(session.controlledKey));
    for (const keys of [
      agreeSealingKeys("controlling", one, two.publicKey),
      agreeSealingKeys("controlled", two, one.publicKey),
    ]) {
      expect(Buffer.from(keys.controlling)).toEqual(hex(session.keys.controlling));
      expect(Buffer.from(keys.controlled)).toEqual(hex(session.keys.controlled));
      for (const { sender, kind, counter, payload, sealed } of session.datagrams) {
        expect(createSealing(sender, keys, counter).seal(kind, hex(payload)).toString("hex")).toBe(sealed);
        const opener = createSealing(sender === "controlling" ? "controlled" : "controlling", keys);
        // What is far ahead can be told only by who has come near.
        if (counter < 2 ** 31) expect(opener.open(hex(sealed))).toEqual({ kind, payload: hex(payload) });
      }
    }
  });
});

describe("two ends of a session", () => {
  test("open what the other one has sealed, with 21 bytes more on the way", () => {
    const { one, two } = pair();
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      const sealed = from.seal(3, Buffer.from("hello"));
      expect(sealed).toHaveLength(5 + sealedOverheadBytes);
      expect(to.open(sealed)).toEqual({ kind: 3, payload: Buffer.from("hello") });
    }
    expect(one.counts).toEqual({ sealed: 1, opened: 1, forged: 0, replayed: 0 });
  });

  test("refuse what was altered, at any byte", () => {
    const { one, two } = pair();
    const sealed = one.seal(0, Buffer.from("hello"));
    for (let at = 0; at < sealed.length; at++) {
      const altered = Buffer.from(sealed);
      altered[at] = (altered[at] as number) ^ 1;
      expect(two.open(altered)).toBeUndefined();
    }
    for (let length = 0; length < sealed.length; length++) expect(two.open(sealed.subarray(0, length))).toBeUndefined();
    expect(two.open(Buffer.concat([sealed, Buffer.alloc(1)]))).toBeUndefined();
    expect(two.counts).toMatchObject({ opened: 0, forged: 2 * sealed.length + 1, replayed: 0 });
    expect(two.open(sealed)?.payload.toString()).toBe("hello");
  });

  test("refuse what comes again, and what is older than they can tell", () => {
    const { one, two } = pair();
    const all = Array.from({ length: 9_000 }, (_, number) => one.seal(0, Buffer.from([number & 255])));
    expect(two.open(all[8_999] as Buffer)).toBeDefined();
    expect(two.open(all[8_999] as Buffer)).toBeUndefined();
    expect(two.open(all[8_999 - 8_159] as Buffer)).toBeDefined();
    expect(two.open(all[8_999 - 8_159] as Buffer)).toBeUndefined();
    expect(two.open(all[8_999 - 8_160] as Buffer)).toBeUndefined();
    expect(two.counts).toMatchObject({ opened: 2, forged: 0, replayed: 3 });
  });

  test("refuse what comes back to its sender", () => {
    const { one, two } = pair();
    const sealed = one.seal(0, Buffer.from("hello"));
    two.seal(0, Buffer.from("other"));
    expect(one.open(sealed)).toBeUndefined();
    expect(one.counts.forged).toBe(1);
  });

  test("refuse what is of another session, with one key the same", () => {
    const ours = generateEphemeralKey();
    const first = pair(ours);
    const second = pair(ours);
    expect(second.two.open(first.one.seal(0, Buffer.from("hello")))).toBeUndefined();
    expect(second.one.open(first.two.seal(0, Buffer.from("hello")))).toBeUndefined();
  });

  test("do not meet when their roles are not opposite", () => {
    const [a, b] = [generateEphemeralKey(), generateEphemeralKey()];
    const one = createSealing("controlling", agreeSealingKeys("controlling", a, b.publicKey));
    const two = createSealing("controlling", agreeSealingKeys("controlling", b, a.publicKey));
    expect(two.open(one.seal(0, Buffer.from("hello")))).toBeUndefined();
  });

  test("go on where the counter outgrows what is on the wire", () => {
    const { keys } = pair();
    const near = createSealing("controlling", keys, 2 ** 32 - 2);
    const two = createSealing("controlled", keys);
    // Each is nearer to the one before than to its double.
    for (const counter of [2 ** 31, 3 * 2 ** 30])
      expect(two.open(createSealing("controlling", keys, counter).seal(0, Buffer.of(1)))).toBeDefined();
    const around = Array.from({ length: 4 }, (_, number) => near.seal(0, Buffer.of(number)));
    for (const sealed of [around[3], around[0], around[2], around[1]] as Buffer[])
      expect(two.open(sealed)).toBeDefined();
    for (const sealed of around) expect(two.open(sealed)).toBeUndefined();
    expect(two.counts).toMatchObject({ opened: 6, replayed: 4 });
  });

  test("never use a nonce twice", () => {
    const { one } = pair();
    const headers = Array.from({ length: 1_000 }, () => one.seal(0, Buffer.alloc(0)).toString("hex", 0, 5));
    expect(new Set(headers).size).toBe(1_000);
  });
});

test.each([
  ["32 bytes of which are 31", new Uint8Array(31)],
  ["zero", new Uint8Array(32)],
  ["a key of low order", Uint8Array.of(1, ...new Uint8Array(31))],
  ["a second spelling of a key", new Uint8Array(32).fill(255)],
])("no key comes of %s", (_, theirs) => {
  const ours = generateEphemeralKey();
  expect(() => agreeSealingKeys("controlled", ours, theirs)).toThrow(
    expect.objectContaining({ code: "invalid-message" }),
  );
});

function pair(ours: EphemeralKey = generateEphemeralKey()): {
  readonly one: Sealing;
  readonly two: Sealing;
  readonly keys: ReturnType<typeof agreeSealingKeys>;
} {
  const theirs = generateEphemeralKey();
  const keys = agreeSealingKeys("controlling", ours, theirs.publicKey);
  return { one: createSealing("controlling", keys), two: createSealing("controlled", keys), keys };
}
