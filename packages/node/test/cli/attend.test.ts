/** Of those that call, whose turn it is. */

import type { Peer, Session } from "@wice/core";
import { expect, test } from "vitest";
import { attend } from "../../src/cli/attend.ts";

const never = new AbortController().signal;

/** A peer that is called when the test says so. */
function calledPeer() {
  const calls = new TransformStream<Session, Session>();
  const writer = calls.writable.getWriter();
  const peer = { incoming: calls.readable } as unknown as Peer;
  return { peer, call: (session: Session) => writer.write(session), fail: (error: Error) => writer.abort(error) };
}

function session(): Session & { readonly reasons: readonly string[] } {
  const reasons: string[] = [];
  const close = async ({ reason = "" } = {}): Promise<void> => void reasons.push(reason);
  return { close, reasons } as unknown as Session & { readonly reasons: readonly string[] };
}

test("the next one is taken when the one before is over, and who comes meanwhile is turned away", async () => {
  const { peer, call } = calledPeer();
  const turns: { readonly session: Session; readonly end: (more: boolean) => void }[] = [];
  const take = (taken: Session): Promise<boolean> =>
    new Promise((end) => {
      turns.push({ session: taken, end });
    });
  const attended = attend(peer, take, never);
  const [one, two, three] = [session(), session(), session()];
  await call(one);
  await call(two);
  await expect.poll(() => two.reasons).toEqual(["busy"]);
  turns[0]?.end(true);
  await call(three);
  await expect.poll(() => turns.length).toBe(2);
  turns[1]?.end(false);
  await attended;
  expect(turns.map(({ session }) => session)).toEqual([one, three]);
  expect([one.reasons, three.reasons]).toEqual([[], []]);
});

test("a key that cannot be called any more is an error only when nobody is there", async () => {
  const { peer, call, fail } = calledPeer();
  let end = (_: boolean): void => {};
  let settled = "";
  const taken = new Promise<void>((begun) => {
    const take = (): Promise<boolean> =>
      new Promise((resolve) => {
        end = resolve;
        begun();
      });
    attend(peer, take, never).then(
      () => {
        settled = "over";
      },
      (error: Error) => {
        settled = error.message;
      },
    );
  });
  await call(session());
  await taken;
  await fail(new Error("refused"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe("");
  end(true);
  await expect.poll(() => settled).toBe("refused");
});

test("what goes wrong with the one that is there is the end, and so is the signal", async () => {
  const failing = calledPeer();
  const attended = attend(failing.peer, () => Promise.reject(new Error("nobody reads the output")), never);
  await failing.call(session());
  await expect(attended).rejects.toThrow("nobody reads the output");
  await expect(attend(calledPeer().peer, async () => true, AbortSignal.abort(new Error("stop")))).rejects.toThrow(
    "stop",
  );
});
