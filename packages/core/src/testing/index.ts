/** For authors of transports, backends and agents: the promises as suites, bad networks, and time under control. */

export { type AgentFixture, agentCompliance } from "./agent-compliance.ts";
export { type AgentEnd, type AgentPair, createAgentPair, type NegotiateOptions } from "./agent-pair.ts";
export { type BackendComplianceSubject, type BackendFixture, backendCompliance } from "./backend-compliance.ts";
export type { ComplianceCase, ComplianceSubject } from "./compliance.ts";
export {
  createFaultyTransport,
  type Faults,
  type FaultyTransport,
  type FaultyTransportOptions,
} from "./faulty-transport.ts";
export { createSeededRandom, type SeededRandom } from "./random.ts";
export { type TransportFixture, transportCompliance } from "./transport-compliance.ts";
export { createVirtualClock, type VirtualClock, type VirtualClockOptions } from "./virtual-clock.ts";
