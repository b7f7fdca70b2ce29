/** ICE over sockets and relays: each set of credentials has its check list, and every packet goes where it belongs. */

import { randomInt } from "node:crypto";
import type { Candidate } from "@wice/core";
import type { Base } from "./base.ts";
import { type BasesOptions, createBases } from "./bases.ts";
import { type CheckList, type CheckListOptions, createCheckList, usernameOf } from "./check-list.ts";
import { method, parseStun, type StunMessage } from "./stun-message.ts";

export interface IceAgent {
  /**
   * A check list with fresh credentials, whose candidates are told from the next turn of the event loop on. Rejects with
   * `address-in-use` where no socket can be had.
   */
  begin(events: GenerationEvents): Promise<CheckList>;
  /** Its credentials are void. */
  end(list: CheckList): void;
  readonly counts: IceCounts;
  close(): void;
}

export interface GenerationEvents {
  onCandidate(candidate: Candidate): void;
  onCandidatesComplete(): void;
  onChange(): void;
}

/** Packets that nothing became of. */
export interface IceCounts {
  /** Requests that were not signed with our credentials, and answers to nothing. */
  readonly unauthenticated: number;
  /** Data from where the peer has signed nothing. */
  readonly strange: number;
}

export interface IceAgentOptions
  extends Pick<CheckListOptions, "role" | "clock">,
    Omit<BasesOptions, "onPacket" | "isLooking" | "onBase" | "onLost"> {
  onData(packet: Buffer): void;
}

export function createIceAgent(options: IceAgentOptions): IceAgent {
  const { role, clock, onData } = options;
  const lists = new Map<string, CheckList>();
  let unauthenticated = 0;
  let strange = 0;
  let closed = false;

  const onPacket = (base: Base, packet: Buffer, address: string, port: number): void => {
    const message = parseStun(packet);
    if (message !== undefined) {
      if (!takeMessage(base, message, address, port)) unauthenticated += 1;
      return;
    }
    for (const list of lists.values()) {
      if (!list.trusts(base, address, port)) continue;
      onData(packet);
      return;
    }
    strange += 1;
  };
  const takeMessage = (base: Base, message: StunMessage, address: string, port: number): boolean => {
    if (message.method !== method.binding) return false;
    if (message.kind === "request") {
      const [ours] = usernameOf(message);
      return lists.get(ours)?.takeRequest(base, message, address, port) ?? false;
    }
    if (message.kind === "indication") return true;
    for (const list of lists.values()) if (list.takeResponse(base, message, address, port)) return true;
    return bases.take(message);
  };
  const bases = createBases({
    ...options,
    onPacket,
    isLooking: () => [...lists.values()].some(({ path }) => path !== "connected"),
    onBase(base) {
      for (const list of lists.values()) list.addBase(base);
    },
    onLost(base) {
      for (const list of lists.values()) list.dropBase(base);
    },
  });

  return {
    async begin({ onCandidate, onCandidatesComplete, onChange }) {
      await bases.open();
      const local = { ufrag: randomLetters(16), pwd: randomLetters(32) };
      const list = createCheckList({ role, clock, local, bases: bases.all, onChange });
      if (closed) return list;
      lists.set(local.ufrag, list);
      // Whoever waits for the credentials has them then.
      setImmediate(() => {
        const isWanted = (): boolean => lists.get(local.ufrag) === list;
        if (!isWanted()) return;
        bases
          .gather((candidate) => isWanted() && onCandidate(candidate))
          .then(() => isWanted() && onCandidatesComplete())
          .catch(() => {});
      });
      return list;
    },
    end(list) {
      lists.delete(list.local.ufrag);
      list.close();
    },
    get counts() {
      return { unauthenticated, strange };
    },
    close() {
      closed = true;
      for (const list of lists.values()) list.close();
      lists.clear();
      bases.close();
    },
  };
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function randomLetters(count: number): string {
  return Array.from({ length: count }, () => letters[randomInt(letters.length)]).join("");
}
