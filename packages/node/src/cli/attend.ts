/** Callers, one after another: whoever comes while there is one is turned away. */

import type { Peer, Session } from "@wice/core";
import { abortable } from "@wice/core/transport";

/**
 * Hands each session to `take`, which resolves when it is over, with whether the next one is waited for. Rejects as `take`
 * does, with the signal's reason, and when our key cannot be called and nobody is there.
 */
export async function attend(
  peer: Peer,
  take: (session: Session) => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const { promise: over, resolve, reject } = Promise.withResolvers<void>();
  let taken: Promise<boolean> | undefined;
  const takeOne = async (session: Session): Promise<void> => {
    taken = take(session);
    const more = await taken;
    taken = undefined;
    if (!more) resolve();
  };
  const listen = async (): Promise<void> => {
    for await (const session of peer.incoming) {
      if (taken === undefined) takeOne(session).catch(reject);
      else void session.close({ reason: "busy", drainMs: 0 });
    }
  };
  // A relay that refuses us ends no session that is there.
  const heard = listen().catch(async (error: unknown) => {
    await taken;
    throw error;
  });
  await abortable(Promise.race([over, heard]), signal);
}
