/** The relay, to be measured, or to be killed. Its quotas are out of the way: all load comes from one address. */

import { createRelay } from "@wice/node/relay";
import { reportTo } from "./report.ts";

const boundless = { perSecond: 1e9, burst: 1e9 };
const relay = await createRelay({
  port: Number(process.env.PORT ?? 0),
  limits: { publishesPerKey: boundless, publishesPerAddress: boundless },
});
reportTo(process, relay.port);
