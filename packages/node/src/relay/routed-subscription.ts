/** A Subscribe or Listen through the generic router, for the encodings that the lean path does not take. */

import { Writable } from "node:stream";
import { fromBinary } from "@bufbuild/protobuf";
import { type Envelope, EnvelopeSchema } from "@wice/core/wire";
import type { AddressState } from "./connections.ts";
import type { RelayCore } from "./core.ts";
import { prefixBytes } from "./frames.ts";
import { connectError } from "./routed-status.ts";
import type { Status } from "./status.ts";
import { forgetSubscription, openSubscription, type SubscriptionRequest } from "./subscription.ts";

/** The envelopes of a subscription, decoded again, as fast as the client takes them. Ends with a ConnectError only. */
export async function* routedSubscription(
  core: RelayCore,
  request: SubscriptionRequest,
  address: AddressState,
  signal: AbortSignal,
): AsyncGenerator<Envelope> {
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
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort);
  const subscription = openSubscription(core, request, {
    output,
    address,
    start: () => {},
    refuse(status) {
      core.counters.refused[status.code]++;
      finish(status);
    },
    end: finish,
  });
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
    signal.removeEventListener("abort", onAbort);
    output.destroy();
    forgetSubscription(subscription);
  }
}
