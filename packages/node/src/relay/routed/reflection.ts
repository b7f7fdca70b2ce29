/** gRPC's reflection service, by which grpcurl and the like learn what a relay can do without its .proto files. */

import { type DescFile, type DescMessage, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { ServerReflection, type ServerReflectionRequest } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflection as ServerReflectionAlpha,
  type ServerReflectionRequest as ServerReflectionRequestAlpha,
} from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** Both versions are the same but for their names. */
type Request = ServerReflectionRequest | ServerReflectionRequestAlpha;
type Result =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "allExtensionNumbersResponse"; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: Code; errorMessage: string } };

/** Answers one question. */
type Index = (query: Request["messageRequest"]) => Result;

/** Adds both versions, which describe `services` and themselves. */
export function addReflection(router: ConnectRouter, services: readonly DescService[], maxRequestBytes: number): void {
  let index: Index | undefined;
  async function* answers<R extends Request>(
    requests: AsyncIterable<R>,
  ): AsyncGenerator<{ validHost: string; originalRequest: R; messageResponse: Result }> {
    index ??= createIndex([...services, ServerReflection, ServerReflectionAlpha]);
    for await (const request of requests) {
      yield { validHost: request.host, originalRequest: request, messageResponse: index(request.messageRequest) };
    }
  }
  // A compressed request may be larger than it looks.
  const options = { readMaxBytes: maxRequestBytes };
  router.service(ServerReflection, { serverReflectionInfo: answers<ServerReflectionRequest> }, options);
  router.service(ServerReflectionAlpha, { serverReflectionInfo: answers<ServerReflectionRequestAlpha> }, options);
}

function createIndex(services: readonly DescService[]): Index {
  const files = new Map<string, DescFile>();
  const encoded = new Map<DescFile, Uint8Array>();
  const symbols = new Map<string, DescFile>();
  const messages = new Map<string, DescMessage>();
  const addFile = (file: DescFile): void => {
    if (files.has(file.proto.name)) return;
    files.set(file.proto.name, file);
    encoded.set(file, toBinary(FileDescriptorProtoSchema, file.proto));
    for (const type of nestedTypes(file)) {
      symbols.set(type.typeName, file);
      if (type.kind === "message") messages.set(type.typeName, type);
      for (const name of partsOf(type)) symbols.set(name, file);
    }
    for (const dependency of file.dependencies) addFile(dependency);
  };
  for (const { file } of services) addFile(file);

  const describe = (file: DescFile | undefined): Result => {
    if (file === undefined) return notFound;
    const fileDescriptorProto = [...withDependencies(file)].map((each) => encoded.get(each) as Uint8Array);
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  };
  return (query) => {
    switch (query.case) {
      case "listServices": {
        const names = services.map(({ typeName }) => typeName).sort();
        return { case: "listServicesResponse", value: { service: names.map((name) => ({ name })) } };
      }
      case "fileByFilename":
        return describe(files.get(query.value));
      case "fileContainingSymbol":
        return describe(symbols.get(query.value));
      case "fileContainingExtension":
        // There are no extensions in any of our files.
        return notFound;
      case "allExtensionNumbersOfType":
        if (!messages.has(query.value)) return notFound;
        return { case: "allExtensionNumbersResponse", value: { baseTypeName: query.value, extensionNumber: [] } };
      case undefined:
        return {
          case: "errorResponse",
          value: { errorCode: Code.InvalidArgument, errorMessage: "the request asks for nothing" },
        };
    }
  };
}

const notFound: Result = {
  case: "errorResponse",
  value: { errorCode: Code.NotFound, errorMessage: "not found" },
};

/** The full names of what has a name inside a type, and is no type. */
function partsOf(type: ReturnType<typeof nestedTypes> extends Iterable<infer T> ? T : never): string[] {
  switch (type.kind) {
    case "message":
      return [...type.fields, ...type.oneofs].map(({ name }) => `${type.typeName}.${name}`);
    case "service":
      return type.methods.map(({ name }) => `${type.typeName}.${name}`);
    case "enum": {
      // Values are siblings of their enumeration, as in C++.
      const scope = type.typeName.slice(0, type.typeName.lastIndexOf(".") + 1);
      return type.values.map(({ name }) => `${scope}${name}`);
    }
    case "extension":
      return [];
  }
}

/** A file and all that it needs, each once. */
function withDependencies(file: DescFile, found: Set<DescFile> = new Set()): Set<DescFile> {
  if (found.has(file)) return found;
  found.add(file);
  for (const dependency of file.dependencies) withDependencies(dependency, found);
  return found;
}
