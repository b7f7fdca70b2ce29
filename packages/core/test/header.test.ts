import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Header, HeaderSchema } from "@wice/core/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isInstance, readHeader, writeHeader } from "../src/backend/header.ts";
import { toHex } from "../src/bytes.ts";

const instances = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex);
const roles = fc.constantFrom("controlling" as const, "controlled" as const);
const opposite = { controlling: "controlled", controlled: "controlling" } as const;
const wire = (header: Header): Header => fromBinary(HeaderSchema, toBinary(HeaderSchema, header));
const ours = "0123456789abcdef".repeat(2);

describe("a header", () => {
  test("is read by the other side as it was written", () => {
    fc.assert(
      fc.property(
        roles,
        instances,
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        fc.boolean(),
        fc.boolean(),
        (role, instance, sequence, acknowledge, named) => {
          const header = wire(
            writeHeader(role, instance, { recipientInstance: named ? ours : undefined, sequence, acknowledge }),
          );
          expect(readHeader(header, opposite[role], ours)).toEqual({ instance, sequence, acknowledge, fresh: named });
          // The same header, sent back.
          expect(readHeader(header, role, ours)).toBe("reflected");
        },
      ),
    );
  });

  test("for another instance is told from one for ours", () => {
    fc.assert(
      fc.property(roles, instances, (role, other) => {
        const header = writeHeader(role, ours, { recipientInstance: other, sequence: 1, acknowledge: true });
        expect(readHeader(header, opposite[role], ours)).toBe("other-instance");
      }),
    );
  });

  test.each([
    ["no role", { senderRole: 0 }, "reflected"],
    ["a role that nobody knows", { senderRole: 3 }, "reflected"],
    ["no instance", { instance: new Uint8Array() }, "malformed"],
    ["an instance of 15 bytes", { instance: new Uint8Array(15) }, "malformed"],
    ["a recipient instance of 17 bytes", { recipientInstance: new Uint8Array(17) }, "malformed"],
    ["no sequence number", { sequence: 0n }, "malformed"],
    ["a sequence number beyond exact numbers", { sequence: 2n ** 53n }, "malformed"],
    ["the largest sequence number", { sequence: 2n ** 64n - 1n }, "malformed"],
  ])("with %s is refused", (_, changes, reason) => {
    const header = writeHeader("controlling", ours, { recipientInstance: undefined, sequence: 1, acknowledge: false });
    expect(readHeader(wire({ ...header, ...changes } as Header), "controlled", ours)).toBe(reason);
  });
});

test.each(["", "00", "g".repeat(32), "AB".repeat(16), "0".repeat(31), "0".repeat(33), ` ${"0".repeat(31)}`])(
  "%j names no instance",
  (text) => {
    expect(isInstance(text)).toBe(false);
  },
);
