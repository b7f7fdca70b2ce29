/** Agents whose connections do something else than the fake ones do by themselves. */

import type { Agent, AgentConnection } from "@wice/core";
import type { FakeAgent, FakeConnection } from "./fake-agent.ts";

/** Puts something in place of members of every connection that is made. */
export function changeConnections(
  change: (connection: AgentConnection<FakeConnection>) => Partial<AgentConnection<FakeConnection>>,
): (agent: FakeAgent) => readonly Agent[] {
  return (agent) => [
    {
      name: agent.name,
      hasTurn: agent.hasTurn,
      connect(options) {
        const connection = agent.connect(options);
        const changed = Object.getOwnPropertyDescriptors(change(connection));
        // Getters have to stay what they are.
        return Object.create(connection, changed) as AgentConnection;
      },
    },
  ];
}
