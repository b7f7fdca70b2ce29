import { readFile, writeFile } from "node:fs/promises";
import { generatePrivateKey, type WiceError } from "@wice/core";
import { expect, test } from "vitest";
import { answerJson, kubeconfigFor, newEnvelope, refuse, type ScriptedRequest, scriptedApi } from "./scripted-api.ts";

const recipient = generatePrivateKey().publicKey;

const forbidden = (request: ScriptedRequest): void =>
  refuse(request, 403, {
    reason: "Forbidden",
    message: `User "system:serviceaccount:mesh:agent" cannot ${request.verb} resource "signalingenvelopes" in API group "cunicu.li"`,
  });

async function publishError(
  create: (request: ScriptedRequest) => void,
  more: Parameters<typeof scriptedApi>[0] = {},
): Promise<WiceError> {
  const api = await scriptedApi({ ...more, create });
  return await api
    .connect({ requestTimeoutMs: 500 })
    .publish(newEnvelope(recipient))
    .then(
      () => expect.unreachable("it was taken"),
      (error: WiceError) => error,
    );
}

test("too many requests, with and without how long to wait", async () => {
  const code = "resource-exhausted";
  const asked = await publishError((request) => refuse(request, 429, {}, { "retry-after": "7" }));
  expect(asked).toMatchObject({ code, retryable: true, retryAfterMs: 7_000 });
  const inBody = await publishError((request) => refuse(request, 429, { details: { retryAfterSeconds: 3 } }));
  expect(inBody).toMatchObject({ code, retryable: true, retryAfterMs: 3_000 });
  expect(await publishError((request) => refuse(request, 429))).toMatchObject({ code, retryAfterMs: undefined });
});

test("what passes is worth another try, what does not is not", async () => {
  const codeOf = async (httpStatus: number) => {
    const { code, retryable } = await publishError(({ answer }) => answer.writeHead(httpStatus).end("<html>"));
    return { code, retryable };
  };
  for (const status of [500, 502, 503, 504, 408, 409]) {
    expect(await codeOf(status)).toEqual({ code: "unavailable", retryable: true });
  }
  expect(await codeOf(413)).toEqual({ code: "too-large", retryable: false });
  expect(await codeOf(405)).toEqual({ code: "unsupported", retryable: false });
  expect(await codeOf(418)).toEqual({ code: "protocol", retryable: false });
  const silent = await publishError(() => {});
  expect(silent).toMatchObject({ code: "unavailable", retryable: true });
  expect(silent.message).toContain("did not answer within 500 ms");
});

test("an envelope that is there already was published by the try before", async () => {
  const api = await scriptedApi({ create: (request) => refuse(request, 409, { reason: "AlreadyExists" }) });
  await expect(api.connect().publish(newEnvelope(recipient))).resolves.toEqual({});
});

test("an API server that is starting is not believed when it refuses", async () => {
  const starting = await publishError(forbidden, { ready: ({ answer }) => answer.writeHead(500).end("not yet") });
  expect(starting).toMatchObject({ code: "unavailable", retryable: true, cause: { code: "permission-denied" } });
  expect(starting.message).toContain("is not ready yet");
  expect(await publishError(forbidden)).toMatchObject({ code: "permission-denied", retryable: false });

  // It became ready between its refusal and our question.
  let creations = 0;
  const api = await scriptedApi({
    create(request) {
      creations += 1;
      if (creations === 1) forbidden(request);
      else answerJson(request, {}, 201);
    },
  });
  await expect(api.connect().publish(newEnvelope(recipient))).resolves.toEqual({});
  // Who asks whether it is ready does not show who they are: a token that is over would be refused there, too.
  expect((await api.request("ready")).authorization).toBe("");
});

test("credentials are read anew once when they are refused", async () => {
  const refused = (request: ScriptedRequest) => refuse(request, 401, { reason: "Unauthorized" });
  expect(await publishError(refused)).toMatchObject({ code: "unauthenticated", retryable: false });
  const api = await scriptedApi({
    create(request) {
      if (request.authorization === "Bearer second") answerJson(request, {}, 201);
      else refused(request);
    },
  });
  const transport = api.connect();
  await expect(transport.publish(newEnvelope(recipient))).rejects.toMatchObject({ code: "unauthenticated" });
  const { host = "" } = (await api.request("create")).answer.req.headers;
  await writeFile(api.kubeconfig, kubeconfigFor(`http://${host}`, "second"));
  await expect(transport.publish(newEnvelope(recipient))).resolves.toEqual({});
});

test("a kubeconfig that was good, and is being written when credentials are over, is worth another try", async () => {
  let valid = "first";
  const api = await scriptedApi({
    create(request) {
      if (request.authorization === `Bearer ${valid}`) answerJson(request, {}, 201);
      else refuse(request, 401, { reason: "Unauthorized" });
    },
  });
  const transport = api.connect();
  await transport.publish(newEnvelope(recipient));
  const { host = "" } = (await api.request("create")).answer.req.headers;
  valid = "second";
  await writeFile(api.kubeconfig, "{");
  await expect(transport.publish(newEnvelope(recipient))).rejects.toMatchObject({
    ...{ code: "unavailable", retryable: true },
    message: expect.stringContaining("is no YAML"),
  });
  await writeFile(api.kubeconfig, kubeconfigFor(`http://${host}`, "second"));
  await expect(transport.publish(newEnvelope(recipient))).resolves.toEqual({});
});

test("a credential plugin is asked once, however many calls find that its token is over", async () => {
  let valid = "first";
  const api = await scriptedApi({
    create(request) {
      if (request.authorization === `Bearer ${valid}`) answerJson(request, {}, 201);
      else refuse(request, 401, { reason: "Unauthorized" });
    },
  });
  const [token, runs] = [`${api.kubeconfig}.token`, `${api.kubeconfig}.runs`];
  const config = JSON.parse(await readFile(api.kubeconfig, "utf8"));
  const script = `echo run >> ${runs}; echo "{\\"status\\": {\\"token\\": \\"$(cat ${token})\\"}}"`;
  config.users[0].user = {
    exec: { apiVersion: "client.authentication.k8s.io/v1", command: "sh", args: ["-c", script] },
  };
  await writeFile(api.kubeconfig, JSON.stringify(config));
  await writeFile(token, valid);
  const transport = api.connect();
  await transport.publish(newEnvelope(recipient));
  valid = "second";
  await writeFile(token, valid);
  await Promise.all(Array.from({ length: 8 }, () => transport.publish(newEnvelope(recipient))));
  expect(await readFile(runs, "utf8")).toBe("run\nrun\n");
});

test("no text of a refusal holds a token or a key", async () => {
  const envelope = newEnvelope(recipient);
  const api = await scriptedApi({
    create: (request) =>
      refuse(request, 422, {
        reason: "Invalid",
        message: `sender: Invalid value: "${envelope.sender}"`,
        details: { causes: [{ field: "sender", message: `Invalid value: "${envelope.sender}"` }] },
      }),
  });
  const error = await api
    .connect()
    .publish(envelope)
    .then(
      () => expect.unreachable("it was taken"),
      (reason: WiceError) => reason,
    );
  expect(error).toMatchObject({ code: "invalid-envelope" });
  expect(error.message).toContain(": sender;");
  expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(envelope.sender.toString());
});
