/** The script of the page under test. */

import { exposeToTests } from "../../kit/page/expose.ts";
import type { WebPage } from "../web-page.ts";
import { createCompliance } from "./compliance.ts";
import { createHappenings } from "./happenings.ts";
import { createKeys } from "./keys.ts";
import { misbehave } from "./misbehave.ts";
import { offerToOpener } from "./neighbour.ts";
import { createPeers } from "./peers.ts";
import { createWholePeers } from "./whole-peers.ts";

offerToOpener();

exposeToTests<WebPage>({
  ...createCompliance(),
  ...createPeers(),
  ...createWholePeers(),
  ...createKeys(),
  isSecure: () => isSecureContext,
  ...createHappenings(),
  hang(ms) {
    for (const until = Date.now() + ms; Date.now() < until; );
  },
  misbehave,
});
