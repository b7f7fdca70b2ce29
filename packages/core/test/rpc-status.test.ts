import { httpStatusError, rpcStatusError } from "@wice/core/transport";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const where = "relay.example.org:443";

describe("a status of gRPC, gRPC-Web or Connect", () => {
  test("that is OK is no error", () => {
    expect(rpcStatusError({ status: 0, message: "fine" }, where)).toBeUndefined();
  });

  test.each([
    [1, "Cancelled", "unavailable", true],
    [2, "Unknown", "unavailable", true],
    [3, "InvalidArgument", "invalid-envelope", false],
    [4, "DeadlineExceeded", "unavailable", true],
    [5, "NotFound", "protocol", false],
    [7, "PermissionDenied", "permission-denied", false],
    [8, "ResourceExhausted", "resource-exhausted", true],
    [12, "Unimplemented", "unsupported", false],
    [13, "Internal", "unavailable", true],
    [14, "Unavailable", "unavailable", true],
    [15, "DataLoss", "protocol", false],
    [16, "Unauthenticated", "unauthenticated", false],
  ])("%i (%s) is %s, retryable: %s", (status, name, code, retryable) => {
    const error = rpcStatusError({ status, message: "the server's words" }, where);
    expect(error).toMatchObject({ code, retryable, retryAfterMs: undefined });
    expect(error?.message).toBe(`${where} answered ${name}: the server's words`);
  });

  test.each([-1, 17, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "%d, which nobody defined, is against the protocol",
    (status) => {
      expect(rpcStatusError({ status, message: "" }, where)).toMatchObject({ code: "protocol", retryable: false });
    },
  );

  test("comes with how long to wait", () => {
    const error = rpcStatusError({ status: 8, message: "quota", pushback: "1500" }, where);
    expect(error).toMatchObject({ code: "resource-exhausted", retryable: true, retryAfterMs: 1500 });
  });

  test.each(["-1", "", "soon", "1.5", "9".repeat(10)])("forbids another try with a pushback of %j", (pushback) => {
    const error = rpcStatusError({ status: 8, message: "too large", pushback }, where);
    expect(error).toMatchObject({ code: "resource-exhausted", retryable: false, retryAfterMs: undefined });
  });

  test("does not become retryable by a pushback", () => {
    const error = rpcStatusError({ status: 16, message: "", pushback: "100" }, where);
    expect(error).toMatchObject({ code: "unauthenticated", retryable: false, retryAfterMs: undefined });
  });

  test("puts the server's words on one line, and not all of them", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 500 }), (message) => {
        const error = rpcStatusError({ status: 14, message }, where);
        expect(error?.message).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(error?.message.length).toBeLessThan(300);
      }),
    );
  });

  test("says nothing where the server said nothing", () => {
    expect(rpcStatusError({ status: 14, message: "" }, where)?.message).toBe(`${where} answered Unavailable`);
  });
});

describe("an answer with nothing but an HTTP status", () => {
  test.each([
    [400, "protocol", false],
    [401, "unauthenticated", false],
    [403, "permission-denied", false],
    [404, "unsupported", false],
    [408, "unavailable", true],
    [413, "too-large", false],
    [429, "resource-exhausted", true],
    [500, "unavailable", true],
    [501, "unsupported", false],
    [502, "unavailable", true],
    [503, "unavailable", true],
    [204, "protocol", false],
    [302, "protocol", false],
  ])("%i is %s, retryable: %s", (status, code, retryable) => {
    const error = httpStatusError(status, "", where);
    expect(error).toMatchObject({ code, retryable, retryAfterMs: undefined });
    expect(error.message).toMatch(retryable ? /try again later/ : /is it a wice relay/);
    expect(error.message).toContain(`${where} answered HTTP ${status}`);
  });

  test("comes with how long to wait, where trying again can help", () => {
    expect(httpStatusError(503, "7", where).retryAfterMs).toBe(7000);
    expect(httpStatusError(429, "0", where).retryAfterMs).toBe(0);
    expect(httpStatusError(404, "7", where).retryAfterMs).toBeUndefined();
  });

  test.each(["", "soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT"])(
    "does not guess what %j means",
    (retryAfter) => {
      expect(httpStatusError(503, retryAfter, where)).toMatchObject({ retryable: true, retryAfterMs: undefined });
    },
  );
});
