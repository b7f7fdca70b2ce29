import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { runWice } from "../cli/wice-process.ts";
import { testCluster } from "./kubernetes-test.ts";

const cluster = testCluster();

interface RuleReview {
  readonly status: { readonly resourceRules: readonly { apiGroups: string[]; resources: string[]; verbs: string[] }[] };
}

test("what the command prints is taken as it is, twice, and gives agents four verbs on one resource", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const namespace = await createMesh();
  const { code, stdout, stderr } = await runWice(["kubernetes", "manifests", "--namespace", namespace]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  await admin.apply(stdout);
  await admin.apply(stdout);
  const answer = await admin.send(
    "POST",
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
    { spec: { namespace } },
    "application/json",
    `system:serviceaccount:${namespace}:wice-agent`,
  );
  const { resourceRules } = (answer as unknown as RuleReview).status;
  const ours = resourceRules.filter(({ apiGroups }) => !apiGroups.every((group) => /\.k8s\.io$/.test(group)));
  expect(ours).toEqual([
    { apiGroups: ["cunicu.li"], resources: ["signalingenvelopes"], verbs: ["create", "list", "watch", "delete"] },
  ]);
});

test("a name that no namespace can have is a wrong command line", async () => {
  const { code, stderr } = await runWice(["kubernetes", "manifests", "--namespace", "Not_One"]);
  expect(code).toBe(2);
  expect(stderr).toContain("--namespace: a namespace is at most 63 small letters, digits and dashes");
});

test("the Kustomize base and the example Deployment are taken as they are shipped", async (context) => {
  const { admin, isOurs } = await cluster(context);
  if (!isOurs) return context.skip("writes into the namespace default, which is not ours to do");
  const manifest = (name: string) =>
    readFile(new URL(`../../packages/node/manifests/${name}`, import.meta.url), "utf8");
  const base = await manifest("kustomization.yaml");
  const resources = [...base.matchAll(/^ {2}- (\S+)$/gm)].map(([, name]) => name ?? "");
  expect(resources).toEqual(["crd.yaml", "rbac.yaml"]);
  for (const name of [...resources, "example-agents.yaml"]) await admin.apply(await manifest(name));
  const { items } = await admin.send("GET", "/apis/apps/v1/namespaces/default/deployments");
  expect(items).toHaveLength(2);
});
