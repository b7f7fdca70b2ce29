import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { RelayRegistry, Relay as RelayService, Signaling } from "@wice/core/wire";
import { describe, expect, test } from "vitest";
import { Health } from "../../src/relay/gen/grpc/health/v1/health_pb.ts";
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "../../src/relay/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../src/relay/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { dialects, nameOf, transportFor } from "./protocols.ts";
import { openSession, openStream, outcome } from "./raw-client.ts";
import { startRelay } from "./relay.ts";

type Query = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

const services = [Signaling, RelayRegistry, RelayService, Health, ServerReflection, ServerReflectionAlpha];
const duplex = dialects.filter(({ httpVersion }) => httpVersion === "2");

describe.each(duplex.map((dialect) => ({ dialect, name: nameOf(dialect) })))("reflection in $name", ({ dialect }) => {
  test.each([
    { version: "v1", service: ServerReflection },
    { version: "v1alpha", service: ServerReflectionAlpha as unknown as typeof ServerReflection },
  ])("$version answers one question after the other", async ({ service }) => {
    const relay = await startRelay();
    const client = createClient(service, transportFor(dialect, relay.url));
    const answers: string[] = [];
    async function* questions() {
      yield { host: "relay", messageRequest: { case: "listServices" as const, value: "*" } };
      yield { messageRequest: { case: "fileContainingSymbol" as const, value: "cunicu.signaling.Envelope" } };
      yield { messageRequest: { case: "fileContainingSymbol" as const, value: "no.Such" } };
    }
    for await (const answer of client.serverReflectionInfo(questions())) answers.push(`${answer.messageResponse.case}`);
    expect(answers).toEqual(["listServicesResponse", "fileDescriptorResponse", "errorResponse"]);
  });
});

describe("reflection", () => {
  test("lists every service, itself included", async () => {
    const { messageResponse, validHost, originalRequest } = await ask({ case: "listServices", value: "" }, "relay");
    expect(messageResponse).toMatchObject({
      case: "listServicesResponse",
      value: {
        service: services.map(({ typeName }) => ({ name: typeName })).sort((a, b) => (a.name < b.name ? -1 : 1)),
      },
    });
    expect([validHost, originalRequest?.messageRequest.case]).toEqual(["relay", "listServices"]);
  });

  test.each(services.map(({ typeName, file }) => ({ typeName, file })))(
    "describes $typeName, with all that it needs",
    async ({ typeName, file }) => {
      for (const query of [
        { case: "fileContainingSymbol", value: typeName },
        { case: "fileByFilename", value: file.proto.name },
      ] as const) {
        const files = filesIn(await ask(query));
        expect(files[0]?.name).toBe(file.proto.name);
        const names = new Set(files.map(({ name }) => name));
        expect(files.flatMap(({ dependency }) => dependency).filter((name) => !names.has(name))).toEqual([]);
        expect(names.size).toBe(files.length);
        const [, service = ""] = /\.([^.]+)$/.exec(typeName) ?? [];
        expect(files[0]?.service.map(({ name }) => name)).toContain(service);
      }
    },
  );

  test.each([
    "cunicu.signaling.Envelope",
    "cunicu.signaling.Envelope.recipient",
    "cunicu.signaling.Signaling.Publish",
    "wice.v1.GetServerInfoResponse.Limits",
    "grpc.health.v1.HealthCheckResponse.ServingStatus",
    "grpc.health.v1.HealthCheckResponse.NOT_SERVING",
    "grpc.reflection.v1.ServerReflectionRequest.message_request",
  ])("finds the file of %s", async (value) => {
    expect(filesIn(await ask({ case: "fileContainingSymbol", value })).length).toBeGreaterThan(0);
  });

  test.each<Query>([
    { case: "fileContainingSymbol", value: "cunicu.signaling" },
    { case: "fileContainingSymbol", value: "__proto__" },
    { case: "fileByFilename", value: "../secret.proto" },
    { case: "fileContainingExtension", value: { containingType: "cunicu.signaling.Envelope", extensionNumber: 1 } },
    { case: "allExtensionNumbersOfType", value: "no.Such" },
  ])("knows no $case $value", async (query) => {
    const { messageResponse } = await ask(query);
    expect(messageResponse).toMatchObject({ case: "errorResponse", value: { errorCode: Code.NotFound } });
  });

  test("knows that there are no extensions", async () => {
    const { messageResponse } = await ask({ case: "allExtensionNumbersOfType", value: "cunicu.signaling.Envelope" });
    expect(messageResponse).toMatchObject({
      case: "allExtensionNumbersResponse",
      value: { baseTypeName: "cunicu.signaling.Envelope", extensionNumber: [] },
    });
  });

  test("answers a question that asks for nothing with an error of its own", async () => {
    const { messageResponse } = await ask(undefined);
    expect(messageResponse).toMatchObject({ case: "errorResponse", value: { errorCode: Code.InvalidArgument } });
  });

  test("ends in time: when the client does not, when it asks too much, and when the relay stops", async () => {
    const relay = await startRelay({ limits: { maxRequestMs: 200 } });
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const patient = openStream(openSession(relay.url), path);
    expect((await outcome(patient)).grpc).toBe("4");
    const greedy = openStream(openSession(relay.url), path);
    const ended = outcome(greedy);
    greedy.write(Buffer.alloc(20_000));
    expect((await ended).grpc).toBe("8");
    const another = await startRelay();
    const last = openStream(openSession(another.url), path);
    const answered = outcome(last);
    last.write(Buffer.from([0, 0, 0, 0, 2, 0x3a, 0]));
    await new Promise((resolve) => last.once("data", resolve));
    const startMs = performance.now();
    await another.close();
    expect((await answered).grpc).toBe("14");
    expect(performance.now() - startMs).toBeLessThan(3_000);
  });
});

async function ask(messageRequest: Query | undefined, host = ""): Promise<ServerReflectionResponse> {
  const relay = await startRelay();
  const transport = transportFor({ protocol: "grpc", encoding: "binary", httpVersion: "2" }, relay.url);
  async function* questions() {
    yield { host, messageRequest: messageRequest ?? { case: undefined } };
  }
  for await (const answer of createClient(ServerReflection, transport).serverReflectionInfo(questions())) return answer;
  throw new Error("no answer");
}

function filesIn({ messageResponse }: ServerReflectionResponse) {
  if (messageResponse.case !== "fileDescriptorResponse") throw new Error(`got ${messageResponse.case}`);
  return messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}
