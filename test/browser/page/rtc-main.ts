/** The script of a page that has WebRTC all to itself. */

import { rtc } from "@wice/core";
import { agentCompliance } from "@wice/core/testing";
import { exposeToTests } from "../../kit/page/expose.ts";
import type { RtcFunctions } from "../rtc-functions.ts";
import { createRtcSession } from "./rtc-session.ts";

const cases = agentCompliance({ setup: async () => ({ first: rtc(), second: rtc() }), teardown: async () => {} });

exposeToTests<RtcFunctions>({
  async runAgentCase(name) {
    const found = cases.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no case is named ${name}`);
    await found.run();
  },
  ...createRtcSession(),
});
