import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { readSnippets, root } from "../docs/snippets.ts";
import { testCluster } from "./kubernetes-test.ts";

const cluster = testCluster();

test("the program of the Kubernetes page runs as it stands there", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const kubeconfig = await admin.createAgent(await createMesh(), "agent");
  const snippet = readSnippets("docs/kubernetes.md").find(({ language }) => language === "ts");
  // Inside the workspace, so that it finds the packages as a user's program does.
  const parent = join(root, ".cache");
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, "kubernetes-docs-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "page.ts");
  await writeFile(file, snippet?.code ?? "");
  const env = { ...process.env, CLUSTER: `k8s://${kubeconfig}` };
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=@wice/source", file], { env });
  expect(stdout).toBe(snippet?.prints);
});
