/** A Subscribe or Listen through the router, for the encodings that the lean path does not take. */

import { Writable } from "node:stream";
import { fromBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { type Envelope, EnvelopeSchema } from "@wice/core/wire";
import type { RelayCore } from "../core.ts";
import { prefixBytes } from "../frames.ts";
import type { Status } from "../status.ts";
import { forgetSubscription, openSubscription, type SubscriptionRequest } from "../subscription.ts";
import { callerKey } from "./caller.ts";
import { connectError } from "./status.ts";

/** The envelopes of a subscription, decoded again, as fast as the client takes them. Ends with a ConnectError only. */
export async function* routedSubscription(
  core: RelayCore,
  request: SubscriptionRequest,
  { values, signal }: HandlerContext,
): AsyncGenerator<Envelope> {
  const { address, deadlineMs } = values.get(callerKey);
  const frames: { readonly frame: Buffer; readonly taken: () => void }[] = [];
  let ended: Status | undefined;
  let wake = (): void => {};
  const output = new Writable({
    highWaterMark: 1,
    write(frame: Buffer, _encoding, taken) {
      frames.push({ frame, taken });
      wake();
    },
  });
  const finish = (status: Status): void => {
    ended = status;
    wake();
  };
  const client = {
    output,
    address,
    start: () => {},
    refuse(status: Status) {
      core.counters.refused[status.code]++;
      finish(status);
    },
    end: finish,
  };
  const subscription = openSubscription(core, request, client, deadlineMs);
  const forget = (): void => {
    output.destroy();
    forgetSubscription(subscription);
    wake();
  };
  // A client that has stopped reading and goes away wakes nobody who waits for it to read on.
  signal.addEventListener("abort", forget);
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = frames.shift();
      if (next !== undefined) {
        yield fromBinary(EnvelopeSchema, next.frame.subarray(prefixBytes));
        next.taken();
      } else if (ended !== undefined) {
        throw connectError(ended);
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    signal.removeEventListener("abort", forget);
    forget();
  }
}
