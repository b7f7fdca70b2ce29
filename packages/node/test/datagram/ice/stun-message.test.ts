import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  attribute,
  encodeStun,
  isSignedWith,
  method,
  normalAddress,
  parseStun,
  readErrorCode,
  readXorAddress,
} from "../../../src/datagram/ice/stun-message.ts";

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ""), "hex");

/** RFC 5769, sections 2.1 to 2.3. */
const password = Buffer.from("VOkJxbRl1RmTxUk/WvJxBt");
const sampleRequest = hex(`
  00010058 2112a442 b7e7a701bc34d686fa87dfae 80220010 5354554e207465737420636c69656e74
  00240004 6e0001ff 80290008 932ff9b151263b36 00060009 6576746a3a68367659202020
  00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf`);
const sampleResponse = hex(`
  0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220
  00200008 0001a147e112a643 00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96`);
const sampleResponse6 = hex(`
  01010048 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220
  00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9 00080014 a382954e4be67bf11784c97c8292c275bfe3ed41
  80280004 c8fb0b4c`);

describe("the samples of RFC 5769", () => {
  test("a request", () => {
    const message = parseStun(sampleRequest);
    expect(message).toMatchObject({ method: method.binding, kind: "request" });
    expect(message?.attributes.get(attribute.username)?.toString()).toBe("evtj:h6vY");
    expect(message && isSignedWith(message, password)).toBe(true);
    expect(message && isSignedWith(message, Buffer.from("another"))).toBe(false);
  });

  test.each([
    [sampleResponse, "192.0.2.1"],
    [sampleResponse6, "2001:db8:1234:5678:11:2233:4455:6677"],
  ])("a response", (sample, address) => {
    const message = parseStun(sample);
    expect(message && isSignedWith(message, password)).toBe(true);
    const mapped = message && readXorAddress(message.attributes.get(attribute.xorMappedAddress), message.id);
    expect(mapped).toEqual({ address, port: 32_853 });
  });
});

describe("messages of ours", () => {
  test.each(["request", "indication", "success", "error"] as const)("a %s of each method says what went in", (kind) => {
    for (const of of Object.values(method)) {
      const id = randomBytes(12);
      const attributes = [
        [attribute.username, Buffer.from("abc")],
        [attribute.xorPeerAddress, { address: "192.0.2.7", port: 9 }],
        [attribute.xorMappedAddress, { address: "2001:db8::7", port: 65_535 }],
      ] as const;
      const message = parseStun(encodeStun({ method: of, kind, id, attributes, key: password }));
      expect(message).toMatchObject({ method: of, kind, id });
      expect(message?.attributes.get(attribute.username)?.toString()).toBe("abc");
      expect(readXorAddress(message?.attributes.get(attribute.xorPeerAddress), id)).toEqual(attributes[1][1]);
      expect(readXorAddress(message?.attributes.get(attribute.xorMappedAddress), id)).toEqual(attributes[2][1]);
      expect(message && isSignedWith(message, password)).toBe(true);
    }
  });

  test("what was altered is none, or not signed any more", () => {
    const attributes = [[attribute.username, Buffer.from("abcd")]] as const;
    const bytes = encodeStun({ method: 1, kind: "request", id: randomBytes(12), attributes, key: password });
    // Behind the signature there is the fingerprint, which nobody has to look at.
    for (let at = 0; at < bytes.length - 8; at++) {
      const altered = Buffer.from(bytes);
      altered[at] = (altered[at] as number) ^ 4;
      const message = parseStun(altered);
      expect(message !== undefined && isSignedWith(message, password)).toBe(false);
    }
    for (let length = 0; length < bytes.length; length++) expect(parseStun(bytes.subarray(0, length))).toBeUndefined();
  });

  test("an error has its number", () => {
    const attributes = [[attribute.errorCode, Buffer.from([0, 0, 4, 38])]] as const;
    const message = parseStun(encodeStun({ method: 1, kind: "error", id: randomBytes(12), attributes }));
    expect(message && readErrorCode(message)).toBe(438);
  });

  test("no packet of WireGuard is one, and no sealed datagram", () => {
    for (let i = 0; i < 1_000; i++) {
      expect(parseStun(Buffer.concat([Buffer.from([(i % 4) + 1, 0, 0, 0]), randomBytes(144)]))).toBeUndefined();
      expect(parseStun(Buffer.concat([Buffer.from([0xc0]), randomBytes(100)]))).toBeUndefined();
    }
  });
});

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["2001:DB8:0:0::1", "2001:db8::1"],
  ["fe80::1%eth0", "fe80::1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["0:0:0:0:0:0:0:1", "::1"],
])("%s is %s", (given, normal) => expect(normalAddress(given)).toBe(normal));
