/** An implementation of WebRTC that remembers what was done with it. */

import type { PeerConnectionConfiguration, PeerConnectionLike } from "@wice/core";

export type Implementation = new (configuration: PeerConnectionConfiguration) => PeerConnectionLike;

export interface Spied {
  readonly RTCPeerConnection: Implementation;
  /** Connections that nobody has closed. */
  open(): number;
  /** Listeners at connections and channels that are there still. */
  listeners(): number;
  /** Candidates that were given to any connection. */
  candidates(): number;
}

export function spyOn(Original: Implementation): Spied {
  const open = new Set<object>();
  let listeners = 0;
  let candidates = 0;

  /** Counts what is added from now on. */
  const watch = <T extends object>(target: T): T => {
    const { addEventListener, removeEventListener } = target as unknown as EventTarget;
    const heard = new Set<string>();
    const numbers = new Map<unknown, number>();
    const keyOf = (type: string, listener: unknown): string => {
      if (!numbers.has(listener)) numbers.set(listener, numbers.size);
      return `${type} ${numbers.get(listener)}`;
    };
    Object.assign(target, {
      addEventListener(...args: [string, never]) {
        const before = heard.size;
        listeners += heard.add(keyOf(...args)).size - before;
        addEventListener.apply(target, args);
      },
      removeEventListener(...args: [string, never]) {
        if (heard.delete(keyOf(...args))) listeners -= 1;
        removeEventListener.apply(target, args);
      },
    });
    return target;
  };

  const RTCPeerConnection = new Proxy(Original, {
    construct(target, args: [PeerConnectionConfiguration]) {
      const pc = new target(...args);
      const { close, createDataChannel, addIceCandidate } = pc;
      open.add(pc);
      return Object.assign(watch(pc), {
        close() {
          open.delete(pc);
          return close.call(pc);
        },
        createDataChannel: (...given: Parameters<typeof createDataChannel>) =>
          watch(createDataChannel.apply(pc, given)),
        addIceCandidate(candidate: Parameters<typeof addIceCandidate>[0]) {
          candidates += 1;
          return addIceCandidate.call(pc, candidate);
        },
      });
    },
  });
  return { RTCPeerConnection, open: () => open.size, listeners: () => listeners, candidates: () => candidates };
}
