/** The session that an application holds, whichever attempt and connection carries it at the time. */

import type { AgentChannel, AgentName, ChannelOptions } from "../agent/agent.ts";
import type { Clock } from "../async/clock.ts";
import { disposable } from "../async/disposable.ts";
import { createQueue, type Queue } from "../async/queue.ts";
import type { Instance } from "../backend/backend.ts";
import { WiceError } from "../errors.ts";
import type { PublicKey } from "../public-key.ts";
import type { Role } from "../role.ts";
import { type Channel, createFlow, type Flow } from "./channel.ts";
import type { LiveConnection } from "./live-connection.ts";
import { createPatience, type Patience } from "./patience.ts";
import type { Session, SessionCloseOptions, SessionEnd, SessionStatus } from "./session.ts";
import type { TimelineEntry } from "./timeline.ts";
import { timing } from "./timing.ts";
import { over, type Verdict } from "./verdict.ts";

/** The inside of a session, for the driver that owns it. */
export interface OwnedSession {
  readonly session: Session;
  /** The connection that carries it now. */
  readonly live: LiveConnection;
  /** The application has closed it; it waits for what was sent to arrive. */
  readonly isClosing: boolean;
  /** Another connection carries it, of the same session of the peer's. */
  carry(live: LiveConnection): void;
  /** It goes on with another session of the peer's, which knows nothing of what was before. */
  move(live: LiveConnection, instance: Instance): void;
  onState(connected: boolean): void;
  onChannel(channel: AgentChannel): void;
  onConsumed(channel: number, bytes: number): void;
  onResume(messages: number): void;
  end(end: SessionEnd): void;
}

export interface SessionDependencies {
  readonly remote: PublicKey;
  readonly role: Role;
  readonly agent: AgentName;
  readonly clock: Clock;
  timeline(): readonly TimelineEntry[];
  /** While it is not over. */
  explain(): Verdict;
  /** The application wants it to end, once what was sent has arrived. */
  onClosing(): void;
  /** That has arrived, or takes too long. */
  close(reason: string): Promise<void>;
  restart(): void;
}

const statusLimit = 64;
const channelLimit = 64;

export function createSession(
  first: LiveConnection,
  instance: Instance,
  dependencies: SessionDependencies,
): OwnedSession {
  const { remote, role, agent, clock, timeline } = dependencies;
  let live = first;
  let current = instance;
  let connected = true;
  let ended: SessionEnd | undefined;
  /** What comes after the end is not its history. */
  let history: readonly TimelineEntry[] | undefined;
  let closing: Promise<void> | undefined;
  const patience = createPatience(clock);
  const observers = new Set<Queue<SessionStatus>>();
  const turnAway = (channel: Channel): void => void channel.close();
  const incoming: Queue<Channel> = createQueue(channelLimit, () => {}, turnAway);
  /** Further channels, by the connection that has them. */
  const channels = new Map<AgentChannel, Flow>();
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<SessionEnd>();

  const tell = (status: SessionStatus): void => {
    for (const observer of observers) observer.pushDroppingOldest(status);
  };
  const main = createFlow({
    ...{ label: "data", reliable: first.connection.main.reliable, clock },
    report: (bytes) => live.consumed(live.connection.main.id, bytes),
    close: () => close(),
    onFailure: ({ message }) => void close({ reason: message, drainMs: 0 }),
    // Another connection brings another.
    onGone() {},
  });

  const adopt = (port: AgentChannel): Channel => {
    let closingThis: Promise<void> | undefined;
    const drop = (error?: WiceError): void => {
      channels.delete(port);
      flow.end(error);
    };
    const flow = createFlow({
      ...{ label: port.label, reliable: port.reliable, clock },
      report: (bytes) => live.consumed(port.id, bytes),
      close() {
        closingThis ??= (async () => {
          const itsPatience = createPatience(clock);
          itsPatience.atMost(timing.drainMs);
          await drain([flow], itsPatience);
          drop();
          port.close();
        })();
        return closingThis;
      },
      onFailure() {
        drop();
        port.close();
      },
      onGone: () => drop(live.connection.state === "closed" ? lost() : undefined),
    });
    channels.set(port, flow);
    flow.attach(port);
    return flow.channel;
  };
  const dropChannels = (error?: WiceError): void => {
    for (const flow of channels.values()) flow.end(error);
    channels.clear();
  };
  const attachMain = (): void => {
    const { messages, channels: opened, resume, consumed } = live.takeEarly();
    main.attach(live.connection.main, messages);
    // What was told on another connection may never have come.
    live.resume(main.progress());
    if (consumed !== undefined) main.credit(consumed);
    if (resume !== undefined) main.resume(resume);
    for (const port of opened) onChannel(port);
  };
  const onChannel = (port: AgentChannel): void => {
    const channel = adopt(port);
    if (!incoming.push(channel)) turnAway(channel);
  };

  /** Lets arrive what was sent, for as long as it may take. */
  const drain = async (flows: readonly Flow[], { signal, stop }: Patience): Promise<void> => {
    for (const flow of flows) flow.shut();
    await Promise.allSettled(flows.map((flow) => flow.drained(signal)));
    stop();
  };
  const close = ({ reason = "done", drainMs }: SessionCloseOptions = {}): Promise<void> => {
    const isHurried = closing === undefined || drainMs !== undefined;
    if (ended === undefined && isHurried) patience.atMost(drainMs ?? timing.drainMs);
    closing ??= (async () => {
      if (ended !== undefined) return;
      dependencies.onClosing();
      await drain([main, ...channels.values()], patience);
      await dependencies.close(reason);
    })();
    return closing;
  };

  const session: Omit<Session, typeof Symbol.asyncDispose> = {
    remote,
    role,
    agent,
    get instance() {
      return current;
    },
    get state() {
      if (ended !== undefined) return "closed";
      return connected ? "connected" : "reconnecting";
    },
    get protection() {
      return live.connection.protection;
    },
    get connection() {
      return live.connection.native;
    },
    get maxMessageBytes() {
      return main.channel.maxMessageBytes;
    },
    send: main.channel.send,
    get readable() {
      return main.channel.readable;
    },
    get writable() {
      return main.channel.writable;
    },
    [Symbol.asyncIterator]: () => main.channel[Symbol.asyncIterator](),
    selectedPair: () => live.connection.selectedPair(),
    channel(label, options: ChannelOptions = {}) {
      if (ended !== undefined || closing !== undefined) throw new WiceError("closed", "the session is closed");
      if (live.connection.state === "closed") throw lost();
      return adopt(live.connection.openChannel(label, options));
    },
    channels: incoming,
    status() {
      const observer: Queue<SessionStatus> = createQueue(statusLimit, () => observers.delete(observer));
      if (ended === undefined) observers.add(observer);
      else observer.end();
      return observer;
    },
    timeline: () => history ?? timeline(),
    explain: () => (ended === undefined ? dependencies.explain() : over(ended)),
    restart: dependencies.restart,
    close,
    closed,
  };
  attachMain();

  return {
    session: disposable<typeof session>(session),
    get live() {
      return live;
    },
    get isClosing() {
      return closing !== undefined;
    },
    carry(next) {
      if (next === live) return;
      dropChannels(lost());
      live = next;
      attachMain();
      tell({ type: "connection" });
    },
    move(next, to) {
      dropChannels(lost());
      main.restart();
      live = next;
      current = to;
      connected = true;
      attachMain();
      tell({ type: "moved", instance: to });
      tell({ type: "connection" });
    },
    onState(now) {
      if (now === connected) return;
      connected = now;
      tell({ type: now ? "connected" : "reconnecting" });
    },
    onChannel,
    onConsumed(number, bytes) {
      if (number === live.connection.main.id) main.credit(bytes);
      else for (const [port, flow] of channels) if (port.id === number) flow.credit(bytes);
    },
    onResume: main.resume,
    end(end) {
      if (ended !== undefined) return;
      ended = end;
      history = timeline();
      const failure =
        end.cause === "lost" ? new WiceError("unavailable", "the session is lost: no path for too long") : undefined;
      main.end(failure);
      dropChannels(failure);
      incoming.end();
      tell({ type: "closed", end });
      for (const observer of [...observers]) observer.end();
      resolveClosed(end);
    },
  };
}

/** What ends the channels of a connection that another one took the place of. */
function lost(): WiceError {
  return new WiceError("unavailable", "this channel's connection is lost; open another when there is one", {
    retryable: true,
  });
}
