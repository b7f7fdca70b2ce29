/** Requests to a TURN server, with the credentials that it asks for, and what it says instead of yes. */

import { createHash } from "node:crypto";
import type { Clock, ServerError } from "@wice/core";
import type { TurnServer } from "./server-url.ts";
import { attribute, isSignedWith, readErrorCode, type StunContent, type StunMessage } from "./stun-message.ts";
import { createStunRequests } from "./stun-requests.ts";

export interface TurnRequests {
  /** Gives the server the nonce that it wants, as often as it is likely to want one. */
  ask(method: number, attributes: StunContent["attributes"]): Promise<StunMessage | ServerError>;
  /** The same, once, and nobody waits for the answer. */
  tell(method: number, attributes: StunContent["attributes"]): void;
  /** Whether it is the answer to a request. One that claims success has to be signed. */
  take(message: StunMessage): boolean;
  end(): void;
}

/** What those need who keep something at the server. */
export interface TurnUpkeep extends Pick<TurnRequests, "ask"> {
  readonly clock: Clock;
  /** The server does not have our place any more. */
  onMismatch(): void;
}

export interface TurnRequestsOptions {
  readonly clock: Clock;
  readonly server: TurnServer;
  send(packet: Buffer): void;
}

export function createTurnRequests({ clock, server, send }: TurnRequestsOptions): TurnRequests {
  const { url, username, password } = server;
  const requests = createStunRequests({ clock, repeats: server.transport === "udp" });
  let realm: Buffer | undefined;
  let nonce: Buffer | undefined;
  let key: Buffer | undefined;

  const attempt = (method: number, attributes: StunContent["attributes"]): Promise<StunMessage | undefined> => {
    const credentials =
      realm === undefined || nonce === undefined
        ? []
        : ([
            [attribute.username, Buffer.from(username)],
            [attribute.realm, realm],
            [attribute.nonce, nonce],
          ] as const);
    return requests.ask({ method, attributes: [...attributes, ...credentials], key }, send);
  };

  return {
    async ask(method, attributes) {
      for (let tries = 0; tries < 3; tries++) {
        const answer = await attempt(method, attributes);
        if (answer === undefined) return { url, code: unreachable, text: "the TURN server does not answer" };
        if (answer.kind === "success") return answer;
        const code = readErrorCode(answer);
        const isAsked = (code === 401 && key === undefined) || code === 438;
        nonce = answer.attributes.get(attribute.nonce) ?? nonce;
        realm ??= answer.attributes.get(attribute.realm);
        if (!isAsked || nonce === undefined || realm === undefined) return { url, code, text: textOf(code) };
        key = createHash("md5").update(`${username}:${realm.toString()}:${password}`).digest();
      }
      return { url, code: 438, text: textOf(438) };
    },
    tell: (method, attributes) => void attempt(method, attributes),
    take(message) {
      // Whoever can sign for the server could have allocated in our name; others can only make us wait.
      if (message.kind === "success" && key !== undefined && !isSignedWith(message, key)) return false;
      return requests.take(message);
    },
    end: requests.end,
  };
}

const unreachable = 701;
const allocationMismatch = 437;

/** It did not answer, which may pass: what it has given before is good for a while. */
export function isSilence({ code }: ServerError): boolean {
  return code === unreachable;
}

/** It has nothing for who asks from where we ask: our place is gone, or we have moved. */
export function isMismatch({ code }: ServerError): boolean {
  return code === allocationMismatch;
}

/** Asks again after a silence. */
export const askAgainMs = 5_000;

function textOf(code: number): string {
  switch (code) {
    case 401:
      return "the TURN server refuses our credentials";
    case 403:
      return "the TURN server forbids it";
    case 486:
      return "the TURN server has no place left for this user";
    case 508:
      return "the TURN server has no place left";
    default:
      return "the TURN server refuses";
  }
}
