/** Hears what is said to one of our keys: subscribes to senders, and knows whether messages come. */

import type { Backend, ReceivedMessage } from "../backend/backend.ts";
import { asWiceError, WiceError } from "../errors.ts";
import type { PrivateKey } from "../private-key.ts";
import type { PublicKey } from "../public-key.ts";
import type { PeerStatus } from "./peer.ts";

export interface Hearing {
  /** Resolves when messages of the sender come, or of anybody. Rejects with what the backend refuses. */
  hear(from: PublicKey): Promise<void>;
  /** Nothing is expected of that sender any more. */
  leave(from: PublicKey): void;
  /** Why nothing comes now. */
  readonly deaf: WiceError | undefined;
  close(): Promise<void>;
}

export interface HearingOptions {
  readonly privateKey: PrivateKey;
  readonly backend: Backend;
  onMessage(received: ReceivedMessage): void;
  /** {@link Hearing.deaf} has changed. */
  onChange(): void;
  /** The backend tries again to hand a message over. */
  onRetrying(error: WiceError): void;
  /** A subscription is over, and not by us. */
  onOver(from: PublicKey, error: WiceError): void;
  tell(status: Extract<PeerStatus, { type: "deaf" | "listening" }>): void;
}

interface Ear {
  readonly live: Promise<void>;
  readonly stop: AbortController;
}

export function createHearing(options: HearingOptions): Hearing {
  const { privateKey, backend, onMessage, tell } = options;
  const ears = new Map<string, Ear>();
  let deaf: WiceError | undefined;
  /** It was said, and nothing else since. */
  let isListening = false;

  const setDeaf = (error: WiceError | undefined): void => {
    const isNews = deaf?.message !== error?.message;
    deaf = error;
    if (isNews) options.onChange();
  };
  const tellDeaf = (error: WiceError): void => {
    isListening = false;
    tell({ type: "deaf", error });
  };
  /** Both the backend and the first subscription say so. */
  const tellListening = (): void => {
    if (!isListening) tell({ type: "listening" });
    isListening = true;
  };

  const listen = (from: PublicKey): Promise<void> => {
    const text = from.toString();
    const stop = new AbortController();
    const subscribing = backend.subscribe({ ours: privateKey, theirs: from }, { signal: stop.signal });
    const ear: Ear = { live: subscribing.then(() => {}), stop };
    ears.set(text, ear);
    const over = (error: unknown): void => {
      if (ears.get(text) !== ear) return;
      ears.delete(text);
      const failure = asWiceError(error, "the backend");
      tellDeaf(failure);
      setDeaf(failure);
      options.onOver(from, failure);
    };
    subscribing
      .then(async (subscription) => {
        tellListening();
        for await (const received of subscription) onMessage(received);
        over(new WiceError("closed", "the backend is closed"));
      })
      .catch(over);
    return ear.live;
  };
  const leave = (text: string): void => {
    const ear = ears.get(text);
    ears.delete(text);
    ear?.stop.abort(new WiceError("closed", "nothing is expected of this peer"));
    if (ears.size === 0) isListening = false;
  };

  /** What the backend says of our key is of interest to who wonders why nothing comes. */
  const backendStatus = backend.status()[Symbol.asyncIterator]();
  const watchBackend = async (): Promise<void> => {
    for await (const status of { [Symbol.asyncIterator]: () => backendStatus }) {
      if ("key" in status && !status.key.equals(privateKey.publicKey)) continue;
      if (status.type === "retrying") options.onRetrying(status.error);
      else setDeaf(status.type === "subscribed" ? undefined : status.error);
      if (status.type === "lost") tellDeaf(status.error);
      if (status.type === "subscribed") tellListening();
    }
  };
  void watchBackend();

  return {
    hear(from) {
      const found = ears.get(from.toString());
      if (found !== undefined) return found.live;
      // Nobody has listened until now: what was before says nothing.
      if (ears.size === 0) deaf = undefined;
      return listen(from);
    },
    leave: (from) => leave(from.toString()),
    get deaf() {
      return deaf;
    },
    async close() {
      for (const text of [...ears.keys()]) leave(text);
      await backendStatus.return?.();
    },
  };
}
