/** Agents whose control channels a test reads along. */

import type { Agent, AgentConnection } from "@wice/core";
import { decodeControl } from "../../../src/session/control.ts";
import type { FakeAgent } from "./fake-agent.ts";
import { changeConnections } from "./unruly-agent.ts";

export interface Tapped {
  /** What went over the control channels, in order. */
  readonly envelopes: readonly Uint8Array[];
  readonly connections: readonly AgentConnection[];
  readonly agents: (agent: FakeAgent) => readonly Agent[];
}

/** Keeps what an agent sends on its control channels, and the connections themselves. */
export function tapped(): Tapped {
  const envelopes: Uint8Array[] = [];
  const connections: AgentConnection[] = [];
  const agents = changeConnections((connection) => {
    connections.push(connection);
    const { control } = connection;
    const send = control.send.bind(control);
    control.send = (bytes) => {
      const { envelope } = decodeControl(bytes) ?? { envelope: new Uint8Array() };
      if (envelope.length > 0) envelopes.push(envelope);
      send(bytes);
    };
    return {};
  });
  return { envelopes, connections, agents };
}
