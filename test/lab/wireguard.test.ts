/** WireGuard through `wice --udp`, between two machines that know only each other's key. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { labMissing, type Machine } from "../kit/lab/lab.ts";
import { openInternet } from "../kit/lab/networks.ts";
import { measure, startTunnel } from "../kit/lab/wireguard.ts";
import { orderedKeys } from "../kit/ordered-keys.ts";

const missing = await labMissing(["ip", "nft", "turnserver", "wg", "wireguard-go", "iperf3", "ping"]);
const bin = fileURLToPath(new URL("../../packages/node/bin/wice.js", import.meta.url));
const seconds = 3;
/** Where WireGuard listens, and where wice does for what WireGuard sends. */
const [wireguardPort, wicePort, directPort] = [51_820, 51_900, 51_821];

test("goes through, as fast as it may beside a direct path", { timeout: 120_000 }, async ({ skip, onTestFinished }) => {
  if (missing !== undefined) return skip(missing);
  const folder = await mkdtemp(join(tmpdir(), "wice-lab-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  // WireGuard's own: who the peer is for the one, it is for the other.
  const keys = orderedKeys();
  const files = await Promise.all(
    keys.map(async ({ privateKey }, index) => {
      const file = join(folder, `${index}.key`);
      await writeFile(file, privateKey, { mode: 0o600 });
      return file;
    }),
  );
  const [leftFile = "", rightFile = ""] = files;
  await using network = await openInternet();
  const { left, right, relay } = network;
  const wice = (machine: Machine, ...args: readonly string[]) =>
    machine.start(process.execPath, ["--conditions=@wice/source", bin, ...args], {
      env: { ...process.env, NODE_OPTIONS: undefined },
    });
  const udp = ["--relay", relay, "--udp", `${wicePort}:127.0.0.1:${wireguardPort}`];
  const listening = await wice(right, "listen", "--key", rightFile, "--allow", keys[0].publicKey, ...udp);
  const calling = await wice(left, "connect", keys[1].publicKey, "--key", leftFile, ...udp);

  const tunnel = async (side: 0 | 1, net: string, port: number, endpoint?: string): Promise<void> => {
    const [ours, theirs] = [keys[side], keys[1 - side] as (typeof keys)[number]];
    const started = await startTunnel([left, right][side] as Machine, {
      ...{ port, address: `${net}.${side + 1}`, privateKey: ours.privateKey },
      peer: { publicKey: theirs.publicKey, address: `${net}.${2 - side}`, endpoint },
    });
    onTestFinished(() => started[Symbol.asyncDispose]());
  };
  await tunnel(0, "10.77.0", wireguardPort, `127.0.0.1:${wicePort}`);
  await tunnel(1, "10.77.0", wireguardPort);
  await tunnel(0, "10.78.0", directPort, `192.0.2.2:${directPort}`);
  await tunnel(1, "10.78.0", directPort);

  for (const net of ["10.77.0", "10.78.0"]) {
    const answers = await left.run("ping", ["-c", "3", "-i", "0.2", "-W", "20", `${net}.2`]);
    expect(answers).toMatch(/3 packets transmitted, 3 received/);
  }
  const direct = await measure(left, right, "10.78.0.2", seconds);
  const through = await measure(left, right, "10.77.0.2", seconds);
  console.log(
    `WireGuard (wireguard-go, TCP by iperf3, ${seconds} s): ${direct.toFixed(0)} Mbit/s direct, ` +
      `${through.toFixed(0)} Mbit/s through wice, ${(through / direct).toFixed(2)} of it`,
  );
  expect(through).toBeGreaterThan(1);
  for (const { exit, stderr } of [calling, listening]) {
    expect(exit).toBeUndefined();
    expect(stderr).toContain("connected");
  }
});
