/** WireGuard through `wice --udp`, by the commands of docs/node-agents.md. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readSnippets } from "../docs/snippets.ts";
import { labMissing, type Machine } from "../kit/lab/lab.ts";
import { openInternet } from "../kit/lab/networks.ts";
import { createInterface, measure, startTunnel } from "../kit/lab/wireguard.ts";
import type { LinesProcess } from "../kit/lines-process.ts";
import { orderedKeys } from "../kit/ordered-keys.ts";

const missing = await labMissing(["ip", "nft", "turnserver", "openssl", "wg", "wireguard-go", "iperf3", "ping"]);
const bin = fileURLToPath(new URL("../../packages/node/bin/wice.js", import.meta.url));
const seconds = 3;
const directPort = 51_821;

test("goes through by five commands on each side", { timeout: 120_000 }, async ({ skip, onTestFinished }) => {
  if (missing !== undefined) return skip(missing);
  await using network = await openInternet();
  const { left, right, relay } = network;
  const keys = orderedKeys();
  const [ALICE, BOB] = [keys[0].publicKey, keys[1].publicKey];
  const scripts = readSnippets("docs/node-agents.md").filter(({ language }) => language === "sh");
  expect(scripts).toHaveLength(2);

  /** Runs the lines of one side. The kernel of this machine may have no WireGuard, and namespaces share names. */
  const follow = async (machine: Machine, script: string, privateKey: string): Promise<LinesProcess> => {
    const folder = await mkdtemp(join(tmpdir(), "wice-lab-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const key = join(folder, "wg.key");
    await writeFile(key, privateKey, { mode: 0o600 });
    await using interfaces = new AsyncDisposableStack();
    let name = "";
    let wice: LinesProcess | undefined;
    const lines = script.trim().split("\n");
    expect(lines).toHaveLength(5);
    for (const line of lines) {
      const words = line
        .replaceAll(/\bwg\.key\b/g, key)
        .replace(/\bBOB\b/, BOB)
        .replace(/\bALICE\b/, ALICE)
        .replace("RELAY", relay)
        .replace("dev wg0", `dev ${name}`)
        .replace("set wg0", `set ${name}`)
        .split(" ");
      if (words[0] === "wice") {
        const command = ["--conditions=@wice/source", bin, ...words.slice(1).filter((word) => word !== "&")];
        wice = await machine.start(process.execPath, command, { env: { ...process.env, NODE_OPTIONS: undefined } });
      } else if (line === "ip link add wg0 type wireguard") {
        const made = interfaces.use(await createInterface(machine));
        name = made.name;
      } else {
        await machine.run(
          words[0] ?? "",
          words.slice(1).map((word) => (word === "wg0" ? name : word)),
        );
      }
    }
    const kept = interfaces.move();
    onTestFinished(() => kept.disposeAsync());
    if (wice === undefined) throw new Error("the commands start no wice");
    return wice;
  };
  const listening = await follow(right, scripts[1]?.code ?? "", keys[1].privateKey);
  const calling = await follow(left, scripts[0]?.code ?? "", keys[0].privateKey);

  const direct = async (side: 0 | 1, endpoint?: string): Promise<void> => {
    const [ours, theirs] = [keys[side], keys[1 - side] as (typeof keys)[number]];
    const started = await startTunnel([left, right][side] as Machine, {
      ...{ port: directPort, address: `10.78.0.${side + 1}`, privateKey: ours.privateKey },
      peer: { publicKey: theirs.publicKey, address: `10.78.0.${2 - side}`, endpoint },
    });
    onTestFinished(() => started[Symbol.asyncDispose]());
  };
  await direct(0, `192.0.2.2:${directPort}`);
  await direct(1);

  for (const net of ["10.77.0", "10.78.0"]) {
    const answers = await left.run("ping", ["-c", "3", "-i", "0.2", "-W", "20", `${net}.2`]);
    expect(answers).toMatch(/3 packets transmitted, 3 received/);
  }
  const straight = await measure(left, right, "10.78.0.2", seconds);
  const through = await measure(left, right, "10.77.0.2", seconds);
  console.log(
    `WireGuard (wireguard-go, TCP by iperf3, ${seconds} s): ${straight.toFixed(0)} Mbit/s direct, ` +
      `${through.toFixed(0)} Mbit/s through wice, ${(through / straight).toFixed(2)} of it`,
  );
  expect(through).toBeGreaterThan(1);
  for (const { exit, stderr } of [calling, listening]) {
    expect(exit).toBeUndefined();
    expect(stderr).toContain("connected");
  }
});
