/** Two ends of a session, each with the port of a local program, as `wice connect --udp` and `wice listen --udp` have. */

import { createBackend, createInProcessNetwork, createPeer, generatePrivateKey, type PrivateKey } from "@wice/core";
import { datagram } from "@wice/node/datagram";
// biome-ignore lint/style/noRestrictedImports: what couples a program to a session belongs to the command, and is not exported.
import { openUdpPipe } from "../../../packages/node/src/cli/udp-pipe.ts";
import { reportTo } from "../relay/report.ts";
import { host } from "./open-socket.ts";

const protect = process.env.PROTECT === "yes";
const network = createInProcessNetwork();
const peer = (privateKey: PrivateKey) =>
  createPeer({
    ...{ privateKey, backend: createBackend(network.connect()), accept: () => true },
    // A sealed datagram has to hold as much as a bare one.
    agents: [datagram({ useAddress: ({ address }) => address === host, protect, datagramBytes: 1_500 })],
  });
const [one, two] = [generatePrivateKey(), generatePrivateKey()];
const [calling, listening] = [peer(one), peer(two)];
const { signal } = new AbortController();
const [entrance, exit] = await Promise.all([
  openUdpPipe({ listenPort: 0, host, port: 9 }),
  openUdpPipe({ listenPort: 0, host, port: Number(process.env.SINK_PORT) }),
]);
const [there, here] = await Promise.all([
  listening.incoming[Symbol.asyncIterator]().next(),
  calling.connect(two.publicKey),
]);
if (there.done !== true) void exit.carry(there.value, signal);
void entrance.carry(here, signal);
reportTo(process, entrance.port);
