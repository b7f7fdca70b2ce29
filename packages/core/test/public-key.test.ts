import { PublicKey, WiceError } from "@wice/core";
import { describe, expect, test } from "vitest";

describe("PublicKey", () => {
  test("prints what it parsed", () => {
    const text = "YU6BcM9nME+e2rYQuu0KYQ0OZgC3U0EfbSfotMkssiQ=";
    expect(PublicKey.parse(text).toString()).toBe(text);
  });

  test.each([
    ["zero", "0000000000000000000000000000000000000000000000000000000000000000"],
    ["one", "0100000000000000000000000000000000000000000000000000000000000000"],
    ["of order 8", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"],
    ["of order 8 too", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"],
    ["p − 1", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
    ["p", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
    ["2^255 − 1", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
    ["bit 255 set", "614e8170cf67304f9edab610baed0a610d0e6600b753411f6d27e8b4c92cb2a4"],
    ["31 bytes", "614e8170cf67304f9edab610baed0a610d0e6600b753411f6d27e8b4c92cb2"],
    ["33 bytes", "614e8170cf67304f9edab610baed0a610d0e6600b753411f6d27e8b4c92cb22400"],
  ])("refuses a key that is %s", (_, hex) => {
    expect(() => PublicKey.fromBytes(Buffer.from(hex, "hex"))).toThrow(
      expect.toSatisfy((error: unknown) => error instanceof WiceError && error.code === "invalid-key"),
    );
  });

  test("takes the largest key there is, p − 2", () => {
    const hex = "ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
    expect(Buffer.from(PublicKey.fromBytes(Buffer.from(hex, "hex")).toBytes()).toString("hex")).toBe(hex);
  });
});
