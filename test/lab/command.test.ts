/** `wice connect` and `wice listen` behind two NATs. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { labMissing, type Machine } from "../kit/lab/lab.ts";
import { openHomes } from "../kit/lab/networks.ts";
import { preservingNat } from "../kit/lab/rules.ts";
import { orderedKeys } from "../kit/ordered-keys.ts";

const missing = await labMissing(["ip", "nft", "turnserver", "openssl"]);
const bin = fileURLToPath(new URL("../../packages/node/bin/wice.js", import.meta.url));

test("carries stdin and stdout through both, by a STUN server that it is told", async ({ skip, onTestFinished }) => {
  if (missing !== undefined) return skip(missing);
  const folder = await mkdtemp(join(tmpdir(), "wice-lab-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const keys = orderedKeys();
  const [ours, theirs] = [join(folder, "ours.key"), join(folder, "theirs.key")];
  await writeFile(ours, keys[0].privateKey, { mode: 0o600 });
  await writeFile(theirs, keys[1].privateKey, { mode: 0o600 });

  await using network = await openHomes(preservingNat);
  const wice = (machine: Machine, ...args: readonly string[]) =>
    machine.start(process.execPath, ["--conditions=@wice/source", bin, ...args], {
      env: { ...process.env, NODE_OPTIONS: undefined },
    });
  const common = ["--relay", network.relay, "--stun", network.turn.stunHost];
  const listening = await wice(network.right, "listen", "--key", theirs, ...common);
  const calling = await wice(network.left, "connect", keys[1].publicKey, "--key", ours, ...common);
  calling.write({ event: "said", text: "through two NATs" });
  const [there] = await listening.until("said", undefined, { timeoutMs: 40_000 });
  expect(there).toMatchObject({ text: "through two NATs" });
  listening.write({ event: "said", text: "and back" });
  expect(await calling.until("said")).toMatchObject([{ text: "and back" }]);
  expect(await calling.stop()).toEqual({ code: 0, signal: null });
});
