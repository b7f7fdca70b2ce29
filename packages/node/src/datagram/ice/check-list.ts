/**
 * ICE with one set of credentials (RFC 8445): finds a pair of addresses that answers, agrees on it with the peer, and
 * watches it. What comes in is authenticated before it is looked at; the role is that of the keys, whatever others say.
 */

import { randomBytes } from "node:crypto";
import type { Candidate, Clock, Role, Timer } from "@wice/core";
import { type Base, candidatePriority } from "./base.ts";
import { comparePairs, createPair, type Pair, type RemoteCandidate, usableRemote } from "./pair.ts";
import {
  attribute,
  encodeStun,
  isSignedWith,
  method,
  readXorAddress,
  type StunMessage,
  uint32,
} from "./stun-message.ts";

export interface IceCredentials {
  readonly ufrag: string;
  readonly pwd: string;
}

/** - `new`: no pair yet. The others as those of a connection. */
export type PathState = "new" | "connected" | "disconnected" | "failed";

export interface CheckList {
  readonly local: IceCredentials;
  readonly remote: IceCredentials | undefined;
  readonly path: PathState;
  /** The pair in use. */
  readonly selected: Pair | undefined;
  /** Begins the checks. */
  setRemote(remote: IceCredentials): void;
  addCandidates(candidates: readonly Candidate[]): void;
  addBase(base: Base): void;
  dropBase(base: Base): void;
  /** A request with our ufrag. Whether the peer has signed it: others get no answer. */
  takeRequest(base: Base, request: StunMessage, address: string, port: number): boolean;
  /** Whether it is the peer's answer to a check of ours. */
  takeResponse(base: Base, response: StunMessage, address: string, port: number): boolean;
  /** Whether the peer is there: it has answered from there, or signed something at a place that it has named. */
  trusts(base: Base, address: string, port: number): boolean;
  close(): void;
}

export interface CheckListOptions {
  readonly role: Role;
  readonly clock: Clock;
  readonly local: IceCredentials;
  readonly bases: Iterable<Base>;
  /** The path or its state has changed. Never called within a call. */
  onChange(): void;
}

/** Between two checks (RFC 8445, section 14.2, allows 5 ms). */
const paceMs = 10;
/** A pair that does not answer is checked again: quickly at first, as lost packets should cost little. */
const firstRepeatMs = 50;
const mostRepeatMs = 500;
const maxPairs = 100;
/** Places that the peer has not named, and that have answered nothing so far. */
const maxStrays = 16;
const maxRemotes = 64;
const maxPending = 512;

/** A better pair that may still answer is waited for: longer where the one that does goes through a relay. */
const betterMs = 60;
const directMs = 400;
const likelyTries = 5;
/** What answered so lately is taken to answer still. */
const freshMs = 2_000;
/** A nomination that is not answered. */
const nominationMs = 1_000;

/** The pair in use is checked so often; one that does not answer, more often: 20 % loss should not look like an end. */
const keepAliveMs = 1_500;
const doubtMs = 500;
const doubtRepeatMs = 200;
const disconnectedMs = 4_500;
/** Well before consent to send ends (RFC 7675: 30 s). */
const failedMs = 15_000;
/** Time alone says nothing: the machine may have slept. */
const disconnectedTries = 6;
const failedTries = 16;
const neverMs = 25_000;
/** Who nominates all pairs that answer gets the best of them. */
const steadyMs = 2_000;

interface Check {
  readonly pair: Pair;
  readonly atMs: number;
  readonly nominates: boolean;
}

export function createCheckList(options: CheckListOptions): CheckList {
  const { role, clock, local, onChange } = options;
  const tieBreaker = randomBytes(8);
  const bases = new Set<Base>(options.bases);
  const remotes: RemoteCandidate[] = [];
  const pending = new Map<string, Check>();
  let pairs: Pair[] = [];
  let byPlace = new Map<Base, Map<string, Pair>>();
  let remote: IceCredentials | undefined;
  let startedAtMs = 0;
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  /** The peer has our credentials: it has used them. */
  let isKnown = false;
  let path: PathState = "new";
  let selected: Pair | undefined;
  let selectedAtMs = 0;
  let nominating: { readonly pair: Pair; readonly sinceMs: number } | undefined;
  let firstSuccessAtMs: number | undefined;
  let timer: Timer | undefined;
  let closed = false;

  const find = (base: Base, address: string, port: number): Pair | undefined =>
    byPlace.get(base)?.get(`${address} ${port}`);
  const addPair = (base: Base, candidate: RemoteCandidate): Pair | undefined => {
    const { address, port } = candidate;
    const family = address.includes(":") ? 6 : 4;
    if (family !== base.family) return undefined;
    const known = find(base, address, port);
    if (known !== undefined) return known;
    const pair = createPair(base, candidate);
    pairs.push(pair);
    pairs.sort((a, b) => comparePairs(a, b, role));
    const places = byPlace.get(base) ?? new Map<string, Pair>();
    byPlace.set(base, places.set(`${address} ${port}`, pair));
    const strays = pairs.filter((each) => each.remote.type === "prflx" && !each.trusted && each !== selected);
    const last =
      strays.length > maxStrays
        ? strays[0]
        : pairs.length > maxPairs
          ? pairs.findLast((each) => each !== selected && !each.trusted)
          : undefined;
    if (last !== undefined) dropPairs((each) => each === last);
    if (last === pair) return undefined;
    base.permit(address);
    return pair;
  };
  const dropPairs = (isGone: (pair: Pair) => boolean): void => {
    pairs = pairs.filter((pair) => !isGone(pair));
    byPlace = new Map();
    for (const pair of pairs) {
      const places = byPlace.get(pair.base) ?? new Map<string, Pair>();
      byPlace.set(pair.base, places.set(`${pair.remote.address} ${pair.remote.port}`, pair));
    }
  };

  const isWatching = (): boolean => selected !== undefined && path === "connected";
  /** When something is to be done next. */
  const nextAtMs = (): number => {
    if (remote === undefined || path === "failed") return Number.POSITIVE_INFINITY;
    if (isWatching() && selected !== undefined) return selected.nextAtMs;
    return pairs.reduce((soonest, pair) => Math.min(soonest, pair.nextAtMs), giveUpAtMs());
  };
  /** When nothing has to happen before. */
  const giveUpAtMs = (): number => {
    if (selected === undefined) return startedAtMs + neverMs;
    return pairs.includes(selected) ? Number.POSITIVE_INFINITY : selected.answeredAtMs + failedMs;
  };
  const plan = (): void => {
    timer?.cancel();
    if (closed) return;
    const atMs = Math.max(nextAtMs(), checkedAtMs + paceMs);
    if (atMs < Number.POSITIVE_INFINITY) timer = clock.schedule(Math.max(0, atMs - clock.now()), turn);
  };
  const turn = (): void => {
    const nowMs = clock.now();
    judge(nowMs);
    if (remote !== undefined && path !== "failed") {
      consider(nowMs);
      const pair = due(nowMs);
      if (pair !== undefined) check(pair, nowMs);
    }
    plan();
  };
  const due = (nowMs: number): Pair | undefined => {
    if (isWatching()) return selected !== undefined && selected.nextAtMs <= nowMs ? selected : undefined;
    const ready = pairs.filter((pair) => pair.nextAtMs <= nowMs);
    // The nomination first, then those that the peer waits for, then who has waited longest among those alike.
    return (
      ready.find((pair) => pair === nominating?.pair) ??
      ready.find((pair) => pair.triggered) ??
      ready.reduce<Pair | undefined>(
        (best, pair) => (best === undefined || pair.tries < best.tries ? pair : best),
        undefined,
      )
    );
  };
  const check = (pair: Pair, nowMs: number): void => {
    if (remote === undefined) return;
    const nominates = pair === nominating?.pair;
    const id = randomBytes(12);
    checkedAtMs = nowMs;
    pair.tries += 1;
    pair.triggered = false;
    pair.nextAtMs = nowMs + repeatMs(pair);
    pending.set(id.toString("latin1"), { pair, atMs: nowMs, nominates });
    for (const oldest of pending.keys()) {
      if (pending.size <= maxPending) break;
      pending.delete(oldest);
    }
    const { base, remote: to } = pair;
    const localPreference = Math.floor(base.candidate.priority / 2 ** 8) % 2 ** 16;
    const packet = encodeStun({
      ...{ method: method.binding, kind: "request", id },
      attributes: [
        [attribute.username, Buffer.from(`${remote.ufrag}:${local.ufrag}`)],
        [attribute.priority, uint32(candidatePriority("prflx", localPreference))],
        [role === "controlling" ? attribute.iceControlling : attribute.iceControlled, tieBreaker],
        ...(nominates ? ([[attribute.useCandidate, Buffer.alloc(0)]] as const) : []),
      ],
      key: Buffer.from(remote.pwd),
    });
    base.send(packet, to.address, to.port);
  };
  const repeatMs = (pair: Pair): number => {
    if (isWatching()) {
      // Of those in a row that are not answered, the first may just be on its way.
      return pair.tries === 1 ? doubtMs : doubtRepeatMs;
    }
    if (pair.succeeded && pair !== nominating?.pair) return mostRepeatMs;
    return Math.min(mostRepeatMs, firstRepeatMs * 2 ** Math.min(10, pair.tries - 1));
  };

  /** Looks whether the path still answers. */
  const judge = (nowMs: number): void => {
    if (remote === undefined || path === "failed") return;
    if (selected === undefined) {
      if (nowMs - startedAtMs >= neverMs) become("failed");
      return;
    }
    const silentMs = nowMs - selected.answeredAtMs;
    if (path === "connected" && silentMs > disconnectedMs && selected.tries >= disconnectedTries) {
      // Any pair may be the next one.
      for (const pair of pairs) Object.assign(pair, { succeeded: false, nextAtMs: 0 });
      for (const pair of pairs) if (pair !== selected) pair.tries = 0;
      firstSuccessAtMs = undefined;
      nominating = undefined;
      become("disconnected");
    } else if (path === "disconnected" && silentMs >= failedMs) {
      if (selected.tries >= failedTries || !pairs.includes(selected)) become("failed");
    }
  };
  const become = (next: PathState): void => {
    if (closed || next === path) return;
    path = next;
    onChange();
  };
  /** The controlling peer decides which pair is used. */
  const consider = (nowMs: number): void => {
    if (role !== "controlling" || isWatching() || !isKnown) return;
    if (nominating !== undefined) {
      if (nowMs - nominating.sinceMs < nominationMs) return;
      Object.assign(nominating.pair, { succeeded: false, tries: 0 });
      nominating = undefined;
    }
    const best = pairs.find((pair) => pair.succeeded);
    if (best === undefined || firstSuccessAtMs === undefined) return;
    const isRelayed = best.base.candidate.type === "relay" || best.remote.type === "relay";
    const patienceMs = isRelayed ? directMs : betterMs;
    const isOpen = pairs.slice(0, pairs.indexOf(best)).some(({ tries }) => tries < likelyTries);
    if (isOpen && nowMs - firstSuccessAtMs < patienceMs) return;
    nominating = { pair: best, sinceMs: nowMs };
    best.nextAtMs = 0;
  };
  const select = (pair: Pair, nowMs: number): void => {
    if (selected !== undefined && selected !== pair && path === "connected") {
      const isWorse = comparePairs(selected, pair, role) < 0;
      if (isWorse && nowMs - selectedAtMs < steadyMs) return;
    }
    if (selected !== pair) selectedAtMs = nowMs;
    const isOther = selected !== pair;
    selected = pair;
    nominating = undefined;
    pair.base.prefer(pair.remote.address, pair.remote.port);
    pair.tries = 0;
    pair.nextAtMs = nowMs + keepAliveMs;
    if (path === "connected" && isOther) onChange();
    else become("connected");
  };

  const answer = (pair: Pair, request: StunMessage): void => {
    const { address, port } = pair.remote;
    const content = { method: method.binding, id: request.id, key: Buffer.from(local.pwd) };
    const conflict = role === "controlling" ? attribute.iceControlling : attribute.iceControlled;
    const packet = request.attributes.has(conflict)
      ? encodeStun({ ...content, kind: "error", attributes: [[attribute.errorCode, roleConflict]] })
      : encodeStun({ ...content, kind: "success", attributes: [[attribute.xorMappedAddress, { address, port }]] });
    pair.base.send(packet, address, port);
  };

  return {
    local,
    get remote() {
      return remote;
    },
    get path() {
      return path;
    },
    get selected() {
      return selected;
    },
    setRemote(given) {
      if (remote !== undefined || closed) return;
      remote = given;
      startedAtMs = clock.now();
      plan();
    },
    addCandidates(candidates) {
      for (const candidate of candidates) {
        const usable = usableRemote(candidate);
        if (usable === undefined || remotes.length >= maxRemotes) continue;
        if (remotes.some(({ address, port }) => address === usable.address && port === usable.port)) continue;
        remotes.push(usable);
        for (const base of bases) addPair(base, usable);
      }
      plan();
    },
    addBase(base) {
      bases.add(base);
      for (const candidate of remotes) addPair(base, candidate);
      plan();
    },
    dropBase(base) {
      bases.delete(base);
      dropPairs((pair) => pair.base === base);
      plan();
    },
    takeRequest(base, request, address, port) {
      const [, theirs] = usernameOf(request);
      if (closed || !bases.has(base) || (remote !== undefined && theirs !== remote.ufrag)) return false;
      if (!isSignedWith(request, Buffer.from(local.pwd))) return false;
      const priority = request.attributes.get(attribute.priority);
      if (priority?.length !== 4) return false;
      const reflexive: RemoteCandidate = { type: "prflx", address, port, priority: priority.readUInt32BE(0) };
      const pair = addPair(base, reflexive);
      if (pair === undefined) return true;
      isKnown = true;
      // A request can be recorded, and sent again from anywhere; an answer of the peer's cannot.
      pair.trusted ||= pair.remote.type !== "prflx";
      answer(pair, request);
      const nowMs = clock.now();
      const isNomination = role === "controlled" && request.attributes.has(attribute.useCandidate);
      pair.nominated ||= isNomination;
      const isOpen = pair.succeeded && (!isWatching() || pair === selected || nowMs - pair.answeredAtMs < freshMs);
      if (isNomination && isOpen) {
        select(pair, nowMs);
      } else if (!isWatching()) {
        pair.triggered ||= !pair.succeeded;
        if (!pair.succeeded) pair.nextAtMs = 0;
        // Ours may have been answered before the peer knew us.
        consider(nowMs);
      } else if (isNomination && nowMs - checkedAtMs >= paceMs) {
        // It is said again until we do.
        check(pair, nowMs);
      }
      plan();
      return true;
    },
    takeResponse(base, response, address, port) {
      const name = response.id.toString("latin1");
      const sent = pending.get(name);
      if (sent === undefined || remote === undefined) return false;
      const { pair, atMs, nominates } = sent;
      const isThere = pair.base === base && pair.remote.address === address && pair.remote.port === port;
      if (!isThere || !isSignedWith(response, Buffer.from(remote.pwd))) return false;
      pending.delete(name);
      // A conflict of roles is the other side's to solve: ours follows from the keys.
      if (response.kind !== "success" || path === "failed" || !pairs.includes(pair)) return true;
      const nowMs = clock.now();
      Object.assign(pair, { succeeded: true, trusted: true, answeredAtMs: nowMs, roundTripMs: nowMs - atMs, tries: 0 });
      pair.mapped = readXorAddress(response.attributes.get(attribute.xorMappedAddress), response.id);
      pair.nextAtMs = nowMs + (pair === selected ? keepAliveMs : mostRepeatMs);
      firstSuccessAtMs ??= nowMs;
      if (nominates || pair.nominated || (pair === selected && path === "disconnected")) select(pair, nowMs);
      else consider(nowMs);
      plan();
      return true;
    },
    trusts(base, address, port) {
      // Nearly all that comes: no name has to be made for it.
      const isSelected =
        selected?.base === base && selected.remote.port === port && selected.remote.address === address;
      return (isSelected ? selected : find(base, address, port))?.trusted === true;
    },
    close() {
      closed = true;
      timer?.cancel();
      pending.clear();
      pairs = [];
      byPlace.clear();
    },
  };
}

/** Whose credentials a request is for, and whose it is. */
export function usernameOf({ attributes }: StunMessage): readonly [ours: string, theirs: string] {
  const text = attributes.get(attribute.username)?.toString("latin1") ?? "";
  const colon = text.indexOf(":");
  return [text.slice(0, colon), text.slice(colon + 1)];
}

const roleConflict = Buffer.concat([Buffer.from([0, 0, 4, 87]), Buffer.from("Role Conflict")]);
