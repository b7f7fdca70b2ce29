/** The relay, to be measured, or to be killed. */

import { createRelay } from "@wice/node/relay";
import { reportTo } from "./report.ts";

const relay = await createRelay({ port: Number(process.env.PORT ?? 0) });
reportTo(process, relay.port);
