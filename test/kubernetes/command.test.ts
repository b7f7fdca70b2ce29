import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { command, createScene, orEnd, runWice, startProcess, startWice } from "../cli/wice-process.ts";
import { testCluster } from "./kubernetes-test.ts";

const cluster = testCluster();

/** Nothing listens there. */
const nowhere = "http://127.0.0.1:1";

test("wice connect and wice listen meet by --backend, past a relay that is not there", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const namespace = await createMesh();
  await using scene = await createScene();
  const [alice, bob] = await Promise.all([scene.key("alice"), scene.key("bob")]);
  const backend = async (name: string) => ["--backend", `k8s://${await admin.createAgent(namespace, name)}`];
  await using listening = await startWice([
    ...["listen", "--key", bob.file, "--relay", nowhere, ...(await backend("bob"))],
  ]);
  await orEnd(listening, listening.until("stderr", /listening as/));
  const { code, stderr } = await runWice(
    ["connect", bob.publicKey, "--key", alice.file, "--relay", nowhere, ...(await backend("alice"))],
    { input: "through the cluster\n" },
  );
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/connected/) });
  expect(await listening.ended).toEqual({ code: 0, signal: null });
  expect(listening.stdout).toBe("through the cluster\n");
});

test("the programs of the example Deployments find each other, again and again, and end when they are told", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const namespace = await createMesh();
  const folder = await mkdtemp(join(tmpdir(), "wice-example-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const wice = join(folder, "wice");
  await writeFile(wice, `#!/bin/sh\nexec ${command.join(" ")} "$@"\n`, { mode: 0o700 });
  for (const name of ["alice", "bob"]) {
    const { stdout } = await runWice(["key", "generate", "--out", join(folder, `${name}.key`)]);
    await writeFile(join(folder, `${name}.pub`), stdout);
  }
  const example = await readFile(new URL("../../packages/node/manifests/example-agents.yaml", import.meta.url), "utf8");
  const scripts = [...example.matchAll(/- \|\n((?: {14}.*\n)+)/g)].map(([, script = ""]) => script);
  expect(scripts).toHaveLength(2);
  const [bob, alice] = await Promise.all(
    scripts.map(async (script, i) => {
      const name = ["bob", "alice"][i] ?? "";
      const there = script
        .replaceAll("/keys/", `${folder}/`)
        .replaceAll("/tmp/key", join(folder, `${name}-copy`))
        .replaceAll("sleep 10", "sleep 1")
        .replaceAll("k8s:incluster", `k8s://${await admin.createAgent(namespace, name)}`);
      return await startProcess("sh", ["-c", there], { env: { PATH: `${folder}:${process.env.PATH}` } });
    }),
  );
  const pods = [bob, alice].filter((each) => each !== undefined);
  onTestFinished(async () => void (await Promise.all(pods.map((each) => each[Symbol.asyncDispose]()))));
  // What date prints, of two sessions.
  await bob?.until("stdout", /:\d\d:[\s\S]*\n.*:\d\d:/, 40_000);
  for (const each of pods) {
    each.kill("SIGTERM");
    await each.ended;
  }
});

test("two contexts of one kubeconfig are two backends", async () => {
  const scene = await createScene();
  onTestFinished(() => scene[Symbol.asyncDispose]());
  const { file } = await scene.key("alice");
  const backends = ["a", "b"].flatMap((context) => ["--backend", `k8s:///nowhere?context=${context}`]);
  const { code, stderr } = await runWice(["subscribe", "--key", file, ...backends]);
  expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("none of 2 transports works") });
});

test("an agent whose Role lacks a verb is told which one, on one line", async (context) => {
  const { admin, createMesh } = await cluster(context);
  const namespace = await createMesh();
  await admin.send("POST", `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`, {
    metadata: { name: "deaf" },
    rules: [{ apiGroups: ["cunicu.li"], resources: ["signalingenvelopes"], verbs: ["create", "list", "delete"] }],
  });
  const scene = await createScene();
  onTestFinished(() => scene[Symbol.asyncDispose]());
  const { file } = await scene.key("deaf");
  const url = `k8s://${await admin.createAgent(namespace, "deaf", "deaf")}`;
  const { code, stdout, stderr } = await runWice(["subscribe", "--key", file, "--backend", url]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toContain(`deaf may not watch signalingenvelopes.cunicu.li in the namespace ${namespace}`);
});
