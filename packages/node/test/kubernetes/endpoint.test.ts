import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { generatePrivateKey, type WiceError } from "@wice/core";
import { expect, onTestFinished, test, vi } from "vitest";
import { openCluster } from "../../src/kubernetes/cluster.ts";
import { parseKubernetesUrl } from "../../src/kubernetes/endpoint.ts";
import type { KubernetesClientOptions } from "../../src/kubernetes/options.ts";
import { createKubernetesTransport } from "../../src/kubernetes/transport.ts";
import { kubeconfigFor, newEnvelope } from "./scripted-api.ts";

const parse = (url: string) => parseKubernetesUrl(new URL(url));

test("reads upstream's URLs", () => {
  expect(parse("k8s:incluster")).toEqual({ source: "incluster", namespace: undefined, context: undefined });
  expect(parse("k8s:///etc/kube%20config?namespace=mesh&context=c")).toEqual({
    ...{ source: { kubeconfig: "/etc/kube config" }, namespace: "mesh", context: "c" },
  });
  for (const url of ["k8s:", "k8s:///", "k8s:?namespace=mesh"]) expect(parse(url).source).toBe("default");
});

test.for([
  ["grpc://host", /not k8s:/],
  ["k8s://host/path", /it names no host/],
  ["k8s:relative/path", /write k8s:incluster, or k8s:\/\/\/path/],
  ["k8s:incluster?context=c", /a context belongs to a kubeconfig/],
  ["k8s:incluster?namespace=Not_One", /a namespace is/],
  ["k8s:incluster?namespace=a&namespace=b", /namespace is given 2 times/],
  ["k8s:incluster?namespace=", /namespace is empty/],
  ["k8s:incluster?insecure=true", /unknown parameter "insecure"/],
  ["k8s:incluster#x", /fragment/],
] as const)("refuses %s", ([url, says]) => {
  expect(() => parse(url)).toThrow(
    expect.objectContaining({ code: "invalid-url", message: expect.stringMatching(says) }),
  );
});

test("options are checked before anything is asked", () => {
  for (const lifetimeMs of [0, -1, 1.5, Number.NaN]) {
    expect(() => createKubernetesTransport({ url: "k8s:incluster", lifetimeMs })).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
  }
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "wice-pod-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

test("a pod finds its API server, its namespace and its token, without the line break", async () => {
  const root = await temporaryFolder();
  const account = join(root, "var/run/secrets/kubernetes.io/serviceaccount");
  await mkdir(account, { recursive: true });
  await writeFile(join(account, "namespace"), "mesh\n");
  await writeFile(join(account, "token"), "secret\n");
  await writeFile(join(account, "ca.crt"), "certificate");
  vi.stubEnv("KUBERNETES_SERVICE_HOST", "fd00::1");
  vi.stubEnv("KUBERNETES_SERVICE_PORT", "6443");
  onTestFinished(() => void vi.unstubAllEnvs());
  const cluster = await openCluster(parse("k8s:incluster"), root);
  expect(cluster).toMatchObject({ where: "[fd00::1]:6443", namespace: "mesh" });
  const { headers, ca } = await cluster.authentication();
  expect(headers).toEqual({ Authorization: "Bearer secret" });
  expect(String(ca)).toBe("certificate");
  expect((await openCluster(parse("k8s:incluster?namespace=other"), root)).namespace).toBe("other");
});

/** A kubeconfig whose user asks a program for credentials. */
async function kubeconfigWithPlugin(script: string): Promise<string> {
  const file = join(await temporaryFolder(), "kubeconfig");
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "sh", args: ["-c", script] };
  const config = JSON.parse(kubeconfigFor("http://127.0.0.1:1", "unused"));
  config.users[0].user = { exec };
  await writeFile(file, JSON.stringify(config));
  return file;
}

test("a credential plugin that fails is told so, with what it said, and one that hangs ends with the call", async () => {
  const says = async (script: string, options: KubernetesClientOptions = {}): Promise<WiceError> => {
    const transport = createKubernetesTransport({ ...options, url: `k8s://${await kubeconfigWithPlugin(script)}` });
    const error = await transport.publish(newEnvelope(generatePrivateKey().publicKey)).then(
      () => expect.unreachable("nothing listens there"),
      (reason: WiceError) => reason,
    );
    await transport.close();
    return error;
  };
  const failed = await says("echo 'you must log in first' >&2; exit 1");
  expect(failed).toMatchObject({ code: "invalid-file" });
  expect(failed.message).toContain("you must log in first");
  const garbage = await says("echo 'secret-token-of-ours'");
  expect(garbage.message).toContain("what its program for credentials printed is no JSON");
  expect(inspect(garbage, { depth: 10 })).not.toContain("secret");
  const hangs = await says("sleep 30", { requestTimeoutMs: 300 });
  expect(hangs).toMatchObject({ code: "unavailable", retryable: true });
});

test("nothing of a kubeconfig shows in errors", async () => {
  const file = join(await temporaryFolder(), "kubeconfig");
  await writeFile(file, "users:\n- name: me\n  user:\n    token: secret-token\n   broken: [secret-too\n");
  const error: unknown = await openCluster(parse(`k8s://${file}`)).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "invalid-file", message: `the kubeconfig ${file} is no YAML (line 5)` });
  expect(inspect(error, { depth: 10 })).not.toContain("secret");
});

test("says what is wrong with where it should be", async () => {
  const file = join(await temporaryFolder(), "kubeconfig");
  const says = async (url: string) => (await openCluster(parse(url)).catch(({ message }: Error) => message)) as string;
  vi.stubEnv("KUBERNETES_SERVICE_HOST", "");
  vi.stubEnv("HOME", join(file, ".."));
  vi.stubEnv("KUBECONFIG", "");
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await says("k8s:incluster")).toMatch(/^this is no pod: /);
  expect(await says("k8s:")).toMatch(/^there is no kubeconfig: set KUBECONFIG/);
  expect(await says(`k8s://${file}`)).toBe(`the kubeconfig ${file} cannot be read (ENOENT)`);
  await writeFile(file, JSON.stringify({ "current-context": "a", contexts: [], clusters: [], users: [] }));
  expect(await says(`k8s://${file}`)).toMatch(/has no context a with a cluster; it has none$/);
});
