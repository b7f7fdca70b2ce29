/** Paths between fake connections: they meet by their credentials, in virtual time, and notice when a path dies. */

import type { AgentDescription, Clock, ConnectionEvents, ConnectionState, WiceError } from "@wice/core";
import type { FakeChannel } from "./fake-channel.ts";

/** One end of a path. */
export interface End {
  readonly events: ConnectionEvents;
  /** The machine that it runs on. */
  readonly host: Host;
  /** By the number that both ends know them by. */
  readonly channels: Map<number, FakeChannel>;
  state: ConnectionState;
  /** What both sides agreed on last. */
  local: AgentDescription | undefined;
  remote: AgentDescription | undefined;
  /** Of the other side, for the present credentials. */
  candidates: number;
  /** Looks for a path with the present credentials. */
  checking: boolean;
  /** Whom the handshake was made with: no other end can take its place. */
  peer: End | undefined;
}

/** A process, and its way to the network. */
export interface Host {
  alive: boolean;
  up: boolean;
}

export interface Paths {
  readonly ends: ReadonlySet<End>;
  add(end: End): void;
  /** The process is gone, without a word. */
  remove(end: End): void;
  /** In order, and the other side is told if it can be reached. */
  close(end: End): void;
  /** Looks for a path with new credentials, or with a new candidate. */
  check(end: End, fresh: boolean): void;
  setState(end: End, state: ConnectionState, failure?: WiceError): void;
  answers(end: End): boolean;
  /** Something has changed that paths depend on. */
  review(): void;
  /** Nobody reaches anybody while it is not up. */
  setUp(up: boolean): void;
}

export const latencyMs = 5;
/** A path that does not answer is noticed after so long, and given up after twice as long. */
const noticeMs = 5_000;
/** How long new credentials get. */
const failMs = 15_000;

export function createPaths(clock: Clock): Paths {
  const ends = new Set<End>();
  let up = true;

  const isThere = (end: End): boolean => end.host.alive && end.state !== "closed";
  const isReachable = (end: End): boolean => up && end.host.up && isThere(end);
  const answers = (end: End): boolean =>
    end.peer !== undefined && [end, end.peer].every((one) => isReachable(one) && one.state !== "failed");
  const setState = (end: End, state: ConnectionState, failure?: WiceError): void => {
    if (!isThere(end) || end.state === state) return;
    end.state = state;
    if (failure === undefined) end.events.onState(state);
    else end.events.onState(state, failure);
  };

  const counterpart = (end: End): End | undefined =>
    [...ends].find(
      (other) =>
        other !== end &&
        other.checking &&
        other.local !== undefined &&
        other.local.ufrag === end.remote?.ufrag &&
        other.remote?.ufrag === end.local?.ufrag &&
        (other.peer ?? end) === end &&
        (end.peer ?? other) === other,
    );
  const meet = (end: End): void => {
    const other = counterpart(end);
    if (other === undefined || !end.checking || !isReachable(end) || !isReachable(other)) return;
    if (end.candidates + other.candidates === 0) return;
    end.peer = other;
    other.peer = end;
    for (const one of [end, other]) one.checking = false;
    for (const one of [end, other]) {
      for (const channel of [...one.channels.values()]) channel.open();
      setState(one, "connected");
    }
    for (const one of [end, other]) for (const channel of [...one.channels.values()]) channel.flush();
  };

  /** Tells an end, in time, whether its path answers. */
  const watch = (end: End): void => {
    if (!isThere(end)) return;
    if (end.state === "connected" && !answers(end)) {
      clock.schedule(noticeMs, () => {
        if (end.state !== "connected" || answers(end)) return;
        setState(end, "disconnected");
        watch(end);
      });
    } else if (end.state === "disconnected") {
      clock.schedule(answers(end) ? latencyMs : noticeMs, () => {
        if (end.state === "disconnected") setState(end, answers(end) ? "connected" : "failed");
      });
    }
    for (const channel of [...end.channels.values()]) channel.flush();
    if (end.checking) clock.schedule(latencyMs, () => meet(end));
  };
  const review = (): void => {
    for (const end of ends) watch(end);
  };

  return {
    ends,
    answers,
    setState,
    review,
    add: (end) => void ends.add(end),
    remove(end) {
      ends.delete(end);
      review();
    },
    close(end) {
      ends.delete(end);
      if (end.state === "closed") return;
      const { peer } = end;
      const told = answers(end);
      end.state = "closed";
      for (const channel of [...end.channels.values()]) channel.cut();
      if (peer !== undefined && told)
        clock.schedule(latencyMs, () => {
          setState(peer, "closed");
          for (const channel of [...peer.channels.values()]) channel.cut();
        });
      review();
    },
    check(end, fresh) {
      if (fresh) {
        end.checking = true;
        const { remote } = end;
        clock.schedule(failMs, () => {
          if (!end.checking || end.remote !== remote) return;
          end.checking = false;
          if (!answers(end)) setState(end, "failed");
        });
      }
      if (end.checking) clock.schedule(latencyMs, () => meet(end));
    },
    setUp(now) {
      up = now;
      review();
    },
  };
}
