import { inspect } from "node:util";
import {
  createTransportRegistry,
  type EnvelopeTransport,
  generatePrivateKey,
  inProcessFactory,
  randomBytes,
  type TransportFactory,
} from "@wice/core";
import { describe, expect, test } from "vitest";
import { hasCode } from "./support/errors.ts";

const transport = {} as EnvelopeTransport;
const factory = (schemes: readonly string[], open: TransportFactory["open"] = () => transport): TransportFactory => ({
  schemes,
  open,
});

describe("a registry of transports", () => {
  test("opens a URL with the factory of its scheme, the later of two, in any case of letters", () => {
    const opened: string[] = [];
    const recording = (name: string, ...schemes: string[]) =>
      factory(schemes, (url) => {
        opened.push(`${name} ${url.href}`);
        return transport;
      });
    const registry = createTransportRegistry([recording("first", "grpc", "grpcs"), recording("second", "grpc", "k8s")]);
    for (const url of [
      "grpc://a:1?insecure=true",
      "GRPCS://b:2",
      "k8s:///path/to/config?namespace=ns",
      "k8s:incluster",
    ]) {
      expect(registry.open(url)).toBe(transport);
    }
    expect(opened).toEqual([
      "second grpc://a:1?insecure=true",
      "first grpcs://b:2",
      "second k8s:///path/to/config?namespace=ns",
      "second k8s:incluster",
    ]);
    expect(registry.schemes).toEqual(["grpc", "grpcs", "k8s"]);
  });

  test.each(["", "relay.example.org", "//relay:1", "127.0.0.1:8080", ":8080", "/tmp/socket", "1http://a"])(
    "refuses %j, which has no scheme",
    (url) => {
      const registry = createTransportRegistry([factory(["grpc"])]);
      expect(() => registry.open(url)).toThrow(hasCode("invalid-url"));
    },
  );

  test("names the schemes that it knows when it refuses another", () => {
    const registry = createTransportRegistry([factory(["grpc", "nats"])]);
    expect(() => registry.open("mqtt://a")).toThrow(hasCode("unknown-scheme"));
    expect(() => registry.open("mqtt://a")).toThrow(/grpc, nats/);
    expect(() => registry.open("constructor:x")).toThrow(hasCode("unknown-scheme"));
  });

  test("repeats no password of a URL that it refuses", () => {
    const registry = createTransportRegistry([factory(["http"])]);
    for (const url of [
      "http://user:hunter2@ho st",
      "mqtt://user:hunter2@host",
      "user:hunter2@host",
      "http://user:hunter2@host:99999",
    ]) {
      let error: unknown;
      try {
        registry.open(url);
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeDefined();
      expect(inspect(error, { depth: 20 })).not.toContain("hunter2");
    }
  });
});

describe("inprocess:", () => {
  const meet = async (one: string, other: string): Promise<number | undefined> => {
    const registry = createTransportRegistry([inProcessFactory()]);
    const recipient = generatePrivateKey().publicKey;
    await registry.open(other).subscribe(recipient);
    const envelope = {
      sender: generatePrivateKey().publicKey,
      recipient,
      body: randomBytes(20),
      nonce: randomBytes(24),
    };
    return (await registry.open(one).publish(envelope)).subscribers;
  };

  test("brings those together who name the same network, and nobody else", async () => {
    expect(await meet("inprocess:demo", "inprocess:demo")).toBe(1);
    expect(await meet("inprocess:demo", "inprocess:other")).toBe(0);
  });

  test.each(["inprocess:", "inprocess://demo", "inprocess:///demo", "inprocess:demo?x=1", "inprocess:demo#x"])(
    "refuses %j: two such would meet by mistake, or not at all",
    (url) => {
      expect(() => createTransportRegistry([inProcessFactory()]).open(url)).toThrow(hasCode("invalid-url"));
    },
  );
});
