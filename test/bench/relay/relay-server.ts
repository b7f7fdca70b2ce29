/** The relay, to be measured. */

import { createRelay } from "@wice/node/relay";
import { reportTo } from "./report.ts";

const relay = await createRelay();
reportTo(process, relay.port);
