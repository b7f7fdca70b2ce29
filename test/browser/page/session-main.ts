/** The script of a page with sessions. */

import { parsePrivateKey } from "@wice/core";
import { openBackend } from "@wice/web";
import { exposeToTests } from "../../kit/page/expose.ts";
import type { SessionFunctions } from "../../kit/session-functions.ts";
import { createSessionFunctions, type PeerConnectionConstructor } from "../../kit/session-peer.ts";
import { countPublishes, countTimers, countWindowListeners } from "./counting.ts";

const publishes = countPublishes();
const timers = countTimers();
const listeners = countWindowListeners();

exposeToTests<SessionFunctions>(
  createSessionFunctions({
    openBackend: ({ relay, privateKey }) =>
      openBackend({ relay, ...(privateKey !== undefined && { privateKey: parsePrivateKey(privateKey) }) }),
    findWebRtc: () => Promise.resolve(RTCPeerConnection as unknown as PeerConnectionConstructor),
    counts: () => ({ envelopes: publishes(), timers: timers(), listeners: listeners() }),
  }),
);
