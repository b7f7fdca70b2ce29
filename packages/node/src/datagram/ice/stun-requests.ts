/** Requests to STUN and TURN servers: repeated until they are answered, or nobody does. */

import { randomBytes } from "node:crypto";
import type { Clock, Timer } from "@wice/core";
import { encodeStun, type StunContent, type StunMessage } from "./stun-message.ts";

export interface StunRequests {
  /** Resolves with the answer; with undefined when there is none in time, or when all ends. */
  ask(content: Omit<StunContent, "kind" | "id">, send: (packet: Buffer) => void): Promise<StunMessage | undefined>;
  /** Whether it is the answer to a request of ours. */
  take(message: StunMessage): boolean;
  end(): void;
}

export interface StunRequestsOptions {
  readonly clock: Clock;
  /** Streams lose nothing: there it is said once. */
  readonly repeats: boolean;
}

const firstRepeatMs = 200;
const patienceMs = 4_500;

export function createStunRequests({ clock, repeats }: StunRequestsOptions): StunRequests {
  const waiting = new Map<string, (answer: StunMessage | undefined) => void>();
  let ended = false;

  return {
    ask: (content, send) =>
      new Promise((resolve) => {
        if (ended) {
          resolve(undefined);
          return;
        }
        const id = randomBytes(12);
        const name = id.toString("latin1");
        const packet = encodeStun({ ...content, kind: "request", id });
        let repeating: Timer | undefined;
        const settle = (answer: StunMessage | undefined): void => {
          waiting.delete(name);
          repeating?.cancel();
          patience.cancel();
          resolve(answer);
        };
        const say = (delayMs: number): void => {
          send(packet);
          if (repeats) repeating = clock.schedule(delayMs, () => say(2 * delayMs));
        };
        const patience = clock.schedule(patienceMs, () => settle(undefined));
        waiting.set(name, settle);
        say(firstRepeatMs);
      }),
    take(message) {
      if (message.kind !== "success" && message.kind !== "error") return false;
      const settle = waiting.get(message.id.toString("latin1"));
      settle?.(message);
      return settle !== undefined;
    },
    end() {
      ended = true;
      for (const settle of [...waiting.values()]) settle(undefined);
    },
  };
}
