import { generatePrivateKey } from "@wice/core";
import { expect, test } from "vitest";
import { createRemotes, type Remote } from "../src/backend/remote.ts";

const setup = () => createRemotes(generatePrivateKey(), { take: () => true }, { maxKnown: 10, maxStrangers: 10 });
/** How many nonces of headerless messages a peer can make us keep. */
const nonces = (remote: Remote): number => {
  for (let i = 0; i < 3000; i++) remote.nonces.set(`${i}`, true);
  return [...remote.nonces.values()].length;
};
/** How many instances a peer can make us remember by name. */
const instances = (remote: Remote): number => {
  const at = (i: number) => ({ instance: `${i}`, sequence: 1, acknowledge: false, fresh: true });
  let count = 0;
  while (remote.guard.recognises(at(-1))) remote.guard.mark(at(count++));
  return count - 1;
};

test("strangers make us keep little, those whom the application has named more", () => {
  const remotes = setup();
  const [stranger, friend] = [generatePrivateKey().publicKey, generatePrivateKey().publicKey];
  const unnamed = remotes.stranger(stranger) as Remote;
  expect([nonces(unnamed), instances(unnamed)]).toEqual([64, 36]);
  const named = remotes.known(friend);
  expect([nonces(named), instances(named)]).toEqual([1024, 16_400]);
});

test("a stranger that the application names keeps what was noted of it, and gets more room", () => {
  const remotes = setup();
  const key = generatePrivateKey().publicKey;
  const stranger = remotes.stranger(key) as Remote;
  remotes.adopt(stranger);
  stranger.nonces.set("before", true);
  const named = remotes.known(key);
  expect(named).toBe(stranger);
  expect(named.nonces.get("before")).toBe(true);
  expect(nonces(named)).toBe(1024);
});
