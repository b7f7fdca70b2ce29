import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatCandidate, parseCandidate, readCandidate, writeCandidate } from "../../src/agent/candidate.ts";

const lines = [
  "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host",
  "candidate:842163049 1 udp 1677729535 203.0.113.5 46154 typ srflx raddr 192.0.2.1 rport 5000",
  "candidate:7 1 udp 2122262783 2001:db8::1 9 typ host",
  "candidate:3 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
  "candidate:4 1 udp 41885439 198.51.100.7 3478 typ relay raddr 203.0.113.5 rport 46154",
  "candidate:5 1 udp 2113937151 1b6c1e0f-8c1d-4f5e-9d3a-0a1b2c3d4e5f.local 51044 typ host",
];

describe("a candidate", () => {
  test.each(lines)("%s is the same after text and after the wire", (line) => {
    const candidate = parseCandidate(line);
    if (candidate === undefined) throw new Error("it was not read");
    expect(formatCandidate(candidate)).toBe(line);
    expect(readCandidate(writeCandidate(candidate))).toEqual(candidate);
  });

  test("is read with what browsers add to it", () => {
    const extended = `a=${lines[0]} generation 0 ufrag EEtu network-id 1 network-cost 10`;
    expect(formatCandidate(parseCandidate(extended) as never)).toBe(lines[0]);
  });

  test.each([
    ["", "candidate:", "candidate:1 1 udp 1 192.0.2.1 5000", "candidate:1 1 udp 1 192.0.2.1 70000 typ host"],
    ["candidate:1 1 sctp 1 192.0.2.1 1 typ host", "candidate:1 1 udp -1 192.0.2.1 1 typ host"],
    ["candidate:1 1 udp 4294967295 192.0.2.1 1 typ host", "candidate:1 1 udp 1 192.0.2.1 1 typ wormhole"],
    ["candidate:1 1 udp 1 a;b 1 typ host", `candidate:${"1".repeat(40)} 1 udp 1 192.0.2.1 1 typ host`],
  ])("is not %s, %s, or the like", (...bad) => {
    for (const line of bad) expect(parseCandidate(line)).toBeUndefined();
  });

  test("never throws, whatever the text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => void parseCandidate(text)));
  });
});
