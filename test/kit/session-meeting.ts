/** Two processes with sessions, and the session between them. */

import { randomUUID } from "node:crypto";
import type { TextKey } from "./ordered-keys.ts";
import type { OpenOptions, SessionProcess } from "./session-functions.ts";

export interface Side {
  readonly process: SessionProcess;
  readonly key: { readonly publicKey: string };
}

/** A side whose key is at hand. */
export interface KeyedSide extends Side {
  readonly key: TextKey;
}

/** A side, with the number that it has of the session. */
export interface End extends Side {
  readonly session: number;
}

export type Meeting = readonly [End, End];

/** Who calls, of the one with the smaller key and the other. */
export const who = ["the controlling peer", "the controlled peer", "either peer"] as const;
export type Caller = (typeof who)[number];

/** Lets one of them call, or both at once. Resolves when both have the session. @param sides the controlling peer first */
export async function meet(sides: readonly [Side, Side], caller: Caller): Promise<Meeting> {
  const [one, other] = sides;
  const call = async (from: Side, to: Side): Promise<End> => ({
    ...from,
    session: await from.process.call("connect", to.key.publicKey),
  });
  const answer = async (side: Side): Promise<End> => ({ ...side, session: await side.process.call("nextIncoming") });
  switch (caller) {
    case "the controlling peer":
      return await Promise.all([call(one, other), answer(other)]);
    case "the controlled peer":
      return await Promise.all([answer(one), call(other, one)]);
    case "either peer":
      return await Promise.all([call(one, other), call(other, one)]);
  }
}

/** Both say something that was never said before, and hear what the other says. */
export async function exchange([one, other]: Meeting): Promise<void> {
  const say = async (from: End, to: End): Promise<void> => {
    const text = `${from.key.publicKey} says ${randomUUID()}`;
    await Promise.all([from.process.call("send", from.session, text), to.process.call("untilHeard", to.session, text)]);
  };
  await Promise.all([say(one, other), say(other, one)]);
}

/** Opens the peer of each with its key. */
export async function openPeers(sides: readonly KeyedSide[], options: OpenOptions): Promise<void> {
  await Promise.all(sides.map(({ process, key }) => process.call("open", { ...options, privateKey: key.privateKey })));
}

/** Prints how many envelopes each has given to the relay so far, and returns the sum. */
export async function printEnvelopes(title: string, sides: readonly Side[]): Promise<number> {
  const counts = await Promise.all(sides.map(async ({ process }) => (await process.call("counts")).envelopes));
  const sum = counts.reduce((before, count) => before + count, 0);
  console.log(`${title}: envelopes ${counts.join(" + ")} = ${sum}`);
  return sum;
}
