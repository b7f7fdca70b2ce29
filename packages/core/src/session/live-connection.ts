/** A connection of an agent with what runs over its control channel: sealed messages, pings, credit. */

import type { Agent, AgentChannel, AgentConnection, ConnectionEvents, ConnectionOptions } from "../agent/agent.ts";
import type { Clock } from "../async/clock.ts";
import { decodeControl, encodeControl } from "./control.ts";
import { costOf, fitsWindow } from "./credit.ts";
import type { Progress } from "./inbox.ts";

export interface LiveConnection {
  readonly connection: AgentConnection;
  /** False where nothing can be sent in-band now. */
  send(envelope: Uint8Array): boolean;
  /** Resolves with whether the other side has answered in time. */
  ping(timeoutMs: number): Promise<boolean>;
  /** Tells how much of a channel was taken here. */
  consumed(channel: number, bytes: number): void;
  /** Tells how much has come on the main channel in this session, and how much of it was taken. */
  resume(progress: Progress): void;
  /** What has come since the connection was made, for who takes it over. Nothing is kept any more after that. */
  takeEarly(): Early;
  /** Lets what was sent last leave; resolves when the connection is closed. */
  closeSoon(): Promise<void>;
}

/** The other side may have the session before we do. */
export interface Early {
  /** Those that the peer may send before it hears from us; where it has sent more, one above that is the last. */
  readonly messages: readonly Uint8Array[];
  readonly channels: readonly AgentChannel[];
  /** The latest of each. */
  readonly resume: number | undefined;
  readonly consumed: number | undefined;
}

export interface LiveConnectionEvents extends ConnectionEvents {
  onEnvelope(envelope: Uint8Array): void;
  onConsumed(channel: number, bytes: number): void;
  onResume(messages: number): void;
}

const maxEarlyChannels = 64;

/** What was sent in-band a moment before the end gets so long to leave. */
const partingMs = 150;
/** So often is a ping said where the channel may lose it, or its answer. */
const pingTimes = 5;
/** A peer that does not take what it asks for is not answered. */
const maxControlBytes = 65_536;

/** Throws what the agent throws. */
export function connectAgent(
  agent: Agent,
  { role, bare }: Omit<ConnectionOptions, "events">,
  events: LiveConnectionEvents,
  clock: Clock,
): LiveConnection {
  const messages: Uint8Array[] = [];
  let messagesCost = 0;
  let excess = false;
  const channels: AgentChannel[] = [];
  let resume: number | undefined;
  let consumed: number | undefined;
  let taken = false;
  const connection = agent.connect({
    ...{ role, bare },
    events: {
      ...events,
      onChannel(channel) {
        if (taken) events.onChannel(channel);
        else if (channels.length < maxEarlyChannels) channels.push(channel);
        else channel.close();
      },
    },
  });
  const { control, main } = connection;
  main.handlers = {
    onMessage(bytes) {
      if (excess) return;
      const cost = costOf(bytes);
      excess = !fitsWindow(messagesCost, cost);
      messagesCost += cost;
      messages.push(bytes);
    },
  };
  const pings = new Map<bigint, (answered: boolean) => void>();
  let lastPing = 0n;
  let closing: Promise<void> | undefined;

  const say = (frame: Parameters<typeof encodeControl>[0]): boolean => {
    if (control.state !== "open") return false;
    try {
      control.send(encodeControl(frame));
      return true;
    } catch {
      return false;
    }
  };
  const onConsumed = (channel: number, bytes: number): void => {
    if (taken) events.onConsumed(channel, bytes);
    else if (channel === main.id) consumed = bytes;
  };
  const onResume = (count: number): void => {
    if (taken) events.onResume(count);
    else resume = count;
  };
  control.handlers = {
    onMessage(bytes) {
      const frame = decodeControl(bytes);
      if (frame === undefined || closing !== undefined) return;
      if (frame.ping !== undefined && control.bufferedBytes < maxControlBytes) say({ pong: frame.ping });
      if (frame.pong !== undefined) pings.get(frame.pong)?.(true);
      if (frame.consumed !== undefined) onConsumed(frame.consumed.channel, Number(frame.consumed.bytes));
      if (frame.resume !== undefined) onResume(Number(frame.resume.messages));
      if (frame.envelope.length > 0) events.onEnvelope(frame.envelope);
    },
  };

  return {
    connection,
    send: (envelope) => connection.state === "connected" && say({ envelope }),
    ping(timeoutMs) {
      lastPing += 1n;
      const ping = lastPing;
      return new Promise((resolve) => {
        const settle = (answered: boolean): void => {
          for (const timer of timers) timer.cancel();
          pings.delete(ping);
          resolve(answered);
        };
        const timers = [clock.schedule(timeoutMs, () => settle(false))];
        for (let time = 1; time < pingTimes && !control.reliable; time += 1)
          timers.push(clock.schedule((timeoutMs * time) / pingTimes, () => say({ ping })));
        pings.set(ping, settle);
        if (!say({ ping })) settle(false);
      });
    },
    consumed: (channel, bytes) => void say({ consumed: { channel, bytes: BigInt(bytes) } }),
    resume: ({ messages: count, consumed: bytes }) =>
      void say({
        resume: { messages: BigInt(count) },
        consumed: { channel: main.id, bytes: BigInt(bytes) },
      }),
    takeEarly() {
      taken = true;
      return { messages: messages.splice(0), channels: channels.splice(0), resume, consumed };
    },
    closeSoon() {
      if (closing !== undefined) return closing;
      for (const settle of [...pings.values()]) settle(false);
      closing = new Promise((resolve) => {
        const close = (): void => {
          control.handlers = {};
          try {
            connection.close();
          } catch {
            // It is as closed as it gets, and whoever waits for the end must not wait for ever.
          }
          resolve();
        };
        if (control.state === "open") clock.schedule(partingMs, close);
        else close();
      });
      return closing;
    },
  };
}
