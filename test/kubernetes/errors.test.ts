import { readFile, writeFile } from "node:fs/promises";
import { type Envelope, generatePrivateKey, randomBytes, type WiceError } from "@wice/core";
import {
  createKubernetesTransport,
  type KubernetesClientOptions,
  type KubernetesTransport,
} from "@wice/node/kubernetes";
import { expect, onTestFinished, test } from "vitest";
import { ownCluster, testCluster } from "./kubernetes-test.ts";

const cluster = testCluster();
/** Of its own: the custom resource belongs to the whole cluster, and the other tests install it. */
const bareCluster = ownCluster();

function newEnvelope(bodyBytes = 50): Envelope {
  const [sender, recipient] = [generatePrivateKey().publicKey, generatePrivateKey().publicKey];
  return { sender, recipient, body: new Uint8Array(bodyBytes).fill(1), nonce: randomBytes(24) };
}

function connect(kubeconfig: string, options: KubernetesClientOptions = {}): KubernetesTransport {
  const transport = createKubernetesTransport({ ...options, url: `k8s://${kubeconfig}` });
  onTestFinished(() => transport.close());
  return transport;
}

async function errorOf(promise: Promise<unknown>): Promise<WiceError> {
  return await promise.then(
    () => expect.unreachable("it was not refused"),
    (error: WiceError) => error,
  );
}

test.for(["create", "list", "watch", "delete"])("a Role that lacks %s is told so, by name", async (verb, context) => {
  const { admin, createMesh } = await cluster(context);
  const namespace = await createMesh();
  const verbs = ["create", "list", "watch", "delete"].filter((each) => each !== verb);
  await admin.send("POST", `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`, {
    metadata: { name: "wrong" },
    rules: [{ apiGroups: ["cunicu.li"], resources: ["signalingenvelopes"], verbs }],
  });
  let reported: (error: WiceError) => void = () => {};
  const cleanUpFailed = new Promise<WiceError>((resolve) => {
    reported = resolve;
  });
  const transport = connect(await admin.createAgent(namespace, "agent", "wrong"), { onCleanUpFailed: reported });
  const envelope = newEnvelope();
  const attempt = async (): Promise<unknown> => {
    const subscription = await transport.subscribe(envelope.recipient);
    await transport.publish(envelope);
    return subscription;
  };
  const error = verb === "delete" ? await attempt().then(() => cleanUpFailed) : await errorOf(attempt());
  expect(error).toMatchObject({ code: "permission-denied", retryable: false });
  expect(error.message).toContain(
    `system:serviceaccount:${namespace}:agent may not ${verb} signalingenvelopes.cunicu.li in the namespace ${namespace}`,
  );
  expect(error.message).toContain(`its Role lacks the verb "${verb}"`);
});

test("a token that was replaced in the kubeconfig is read anew, and one that is over is told so", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const namespace = await createMesh();
  const file = await admin.createAgent(namespace, "agent");
  const transport = connect(file);

  // Tokens belong to the account's uid: those of the one before are over. The API server remembers for ten seconds that a
  // token was good, so that this one has not been used.
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await admin.send("DELETE", `${accounts}/agent`);
  await admin.send("POST", accounts, { metadata: { name: "agent" } });
  await expect
    .poll(() => transport.publish(newEnvelope()).catch(({ code }: WiceError) => code), { timeout: 30_000 })
    .toBe("unauthenticated");

  const config = JSON.parse(await readFile(file, "utf8"));
  config.users[0].user.token = await admin.createToken(namespace, "agent");
  await writeFile(file, JSON.stringify(config));
  await expect(transport.publish(newEnvelope())).resolves.toEqual({});
});

test("a cluster without the custom resource is told how to install it", async (context) => {
  const { admin } = await bareCluster(context);
  await admin.createNamespace("bare");
  await admin.send("POST", "/api/v1/namespaces/bare/serviceaccounts", { metadata: { name: "agent" } });
  await admin.send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "bare" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", name: "agent", namespace: "bare" }],
  });
  const token = await admin.createToken("bare", "agent");
  const transport = connect(await admin.writeKubeconfig("bare", token, "bare"));
  const calls = [() => transport.publish(newEnvelope()), () => transport.subscribe(newEnvelope().recipient)];
  for (const call of calls) {
    const error = await errorOf(call());
    expect(error).toMatchObject({ code: "unsupported", retryable: false });
    expect(error.message).toContain("npx wice kubernetes manifests --namespace bare | kubectl apply -f -");
  }
});

test("a namespace that does not exist, or is being deleted, is told so", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const namespace = await createMesh();
  await admin.send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: namespace },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", name: "agent", namespace }],
  });
  onTestFinished(async () => {
    await admin.send("DELETE", `/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/${namespace}`);
  });
  const file = await admin.createAgent(namespace, "agent");
  const elsewhere = await errorOf(connect(`${file}?namespace=nowhere`).publish(newEnvelope()));
  expect(elsewhere).toMatchObject({ code: "unsupported", retryable: false });
  expect(elsewhere.message).toContain("kubectl create namespace nowhere");

  await admin.createNamespace(`${namespace}-old`);
  await admin.send("DELETE", `/api/v1/namespaces/${namespace}-old`);
  const old = connect(`${file}?namespace=${namespace}-old`);
  // With a controller the namespace may be gone already.
  await expect
    .poll(() => old.publish(newEnvelope()).catch(({ message }: WiceError) => message))
    .toMatch(/is being deleted|there is no namespace/);
});

test("a full quota is told so, and worth another try", async (context) => {
  const { admin, isOurs, createMesh } = await cluster(context);
  if (!isOurs) return context.skip("writes the status of a quota, which a controller does there");
  const namespace = await createMesh();
  const hard = { "count/signalingenvelopes.cunicu.li": "1" };
  const quotas = `/api/v1/namespaces/${namespace}/resourcequotas`;
  const used = { "count/signalingenvelopes.cunicu.li": "0" };
  await admin.send("POST", quotas, { metadata: { name: "few" }, spec: { hard } });
  // What the quota controller does, which we do not run.
  const status = { metadata: { name: "few" }, status: { hard, used } };
  await admin.send("PATCH", `${quotas}/few/status`, status, "application/merge-patch+json");
  const transport = connect(await admin.createAgent(namespace, "agent"));
  const refusal = async (): Promise<WiceError | undefined> =>
    await transport.publish(newEnvelope()).then(
      () => undefined,
      (error: WiceError) => error,
    );
  await expect.poll(refusal, { timeout: 30_000 }).toMatchObject({ code: "resource-exhausted", retryable: true });
  expect((await refusal())?.message).toContain(`the ResourceQuota few of the namespace ${namespace}`);
});

test("envelopes that the cluster cannot take are refused with the field, or their size", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const file = await admin.createAgent(await createMesh(), "agent");
  const transport = connect(file, { maxEnvelopeBytes: 10_000_000 });
  const refused = await errorOf(transport.publish(newEnvelope(70_000)));
  expect(refused).toMatchObject({ code: "invalid-envelope", retryable: false });
  expect(refused.message).toContain("contents.body");
  expect(await errorOf(transport.publish(newEnvelope(4_000_000)))).toMatchObject({
    code: "too-large",
    retryable: false,
  });
  expect(await errorOf(connect(file).publish(newEnvelope(65_537)))).toMatchObject({ code: "too-large" });
  await expect(transport.publish(newEnvelope(65_536))).resolves.toEqual({});
});

test("an API server that is away, or another one than the kubeconfig says, is told so", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const file = await admin.createAgent(await createMesh(), "agent");
  const config = JSON.parse(await readFile(file, "utf8"));
  const altered = async (change: (cluster: Record<string, unknown>) => void): Promise<WiceError> => {
    const copy = structuredClone(config);
    change(copy.clusters[0].cluster);
    await writeFile(`${file}.altered`, JSON.stringify(copy));
    return await errorOf(connect(`${file}.altered`).publish(newEnvelope()));
  };
  const away = await altered((each) => {
    each.server = "https://127.0.0.1:1";
  });
  expect(away).toMatchObject({ code: "unavailable", retryable: true });
  expect(away.message).toContain("nothing listens on 127.0.0.1:1");
  const stranger = await altered((each) => {
    delete each["certificate-authority-data"];
  });
  expect(stranger).toMatchObject({ code: "unavailable", retryable: false });
  expect(stranger.message).toMatch(/the certificate of the API server at .* is refused/);
});
