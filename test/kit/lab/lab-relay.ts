/** A relay as a process of its own, for a machine of the laboratory: on all of its addresses. Ends with its stdin. */

import { createRelay } from "@wice/node/relay";

const relay = await createRelay({ host: "::", port: Number(process.argv[2]) });
console.log(JSON.stringify({ event: "ready" }));
process.stdin.on("end", () => void relay.close().then(() => process.exit())).resume();
