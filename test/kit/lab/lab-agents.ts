/** The ICE agents that go through the laboratory. */

import type { Agent, IceServer } from "@wice/core";
import { nodeRtc } from "@wice/node";
import { datagram } from "@wice/node/datagram";

type OpenAgent = (iceServers: readonly IceServer[]) => Agent | Promise<Agent>;

/** To add one, add a line. */
export const labAgents = {
  rtc: (iceServers) => nodeRtc({ iceServers }),
  datagram: (iceServers) => datagram({ iceServers }),
} as const satisfies Readonly<Record<string, OpenAgent>>;

export type LabAgent = keyof typeof labAgents;
