/** The script of the page under test. */

import { exposeToTests } from "../../kit/page/expose.ts";
import type { WebPage } from "../web-page.ts";
import { runCase } from "./compliance.ts";
import { misbehave } from "./misbehave.ts";

exposeToTests<WebPage>({ runCase, misbehave, isSecure: () => isSecureContext });
