/** A tool that was given no .proto files (`buf curl`, of the same kind as grpcurl) against our relay. */

import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { createRelay } from "@wice/node/relay";
import { expect, test } from "vitest";
import { createCertificate } from "../kit/certificate.ts";

const buf = createRequire(import.meta.url).resolve("@bufbuild/buf/bin/buf");

/** What it prints. */
async function curl(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [buf, "curl", ...args]);
  return stdout;
}

test("a tool finds the services of the relay", async () => {
  await using relay = await createRelay();
  const services = (await curl("--http2-prior-knowledge", "--list-services", relay.url)).trim().split("\n");
  expect(services).toEqual([
    "cunicu.signaling.RelayRegistry",
    "cunicu.signaling.Signaling",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "wice.v1.Relay",
  ]);
  const methods = await curl("--http2-prior-knowledge", "--list-methods", relay.url);
  expect(methods.trim().split("\n")).toContain("cunicu.signaling.Signaling/Publish");
});

test.each(
  ["grpc-v1", "grpc-v1alpha"].flatMap((reflection) =>
    ["grpc", "grpcweb", "connect"].map((protocol) => ({ reflection, protocol })),
  ),
)("a tool calls in $protocol what it learnt by $reflection, with TLS and without", async ({ reflection, protocol }) => {
  const tls = await createCertificate();
  for (const secure of [false, true]) {
    await using relay = await createRelay(secure ? { tls } : {});
    const transport = secure ? "--insecure" : "--http2-prior-knowledge";
    const options = ["--protocol", protocol, "--reflect-protocol", reflection, transport];
    const info: unknown = JSON.parse(await curl(...options, `${relay.url}/cunicu.signaling.Signaling/GetBuildInfo`));
    expect(info).toMatchObject({ version: expect.stringMatching(/\d/), os: process.platform });
    const health = await curl(
      ...options,
      "-d",
      '{"service":"wice.v1.Relay"}',
      `${relay.url}/grpc.health.v1.Health/Check`,
    );
    expect(JSON.parse(health)).toEqual({ status: "SERVING" });
  }
});
