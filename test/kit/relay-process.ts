/** Starts a relay in a process of its own. */

import { type MeasuredServer, startServer } from "../bench/relay/measured-server.ts";

export interface RelayProcess extends MeasuredServer {
  readonly port: number;
}

/** Its `stop` is SIGKILL. @param port default 0: a free one */
export async function startRelayProcess(port = 0): Promise<RelayProcess> {
  const server = await startServer("./relay-server.ts", { PORT: String(port) });
  return { ...server, port: Number(new URL(server.url).port) };
}
