/** What the page says over a session: texts with receipts, and a question now and then how long an answer takes. */

import { isWiceError, type Session, WiceError } from "@wice/core";

/** JSON, in UTF-8, as two pages speak it. */
type Word =
  | { readonly type: "text"; readonly id: number; readonly text: string }
  | { readonly type: "got"; readonly id: number }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "pong"; readonly id: number };

export interface Talk {
  /** Resolves with `"got"` when the other page has it, and with `"sent"` where no page is there that could say so. */
  say(text: string): Promise<"got" | "sent">;
  /** Resolves with how long an answer took, in milliseconds; with nothing where none came in time. */
  ping(): Promise<number | undefined>;
}

const patienceMs = 2_000;

/**
 * At the other end may be any program, such as the code that this page offers: what it sends is a text as it stands, and
 * so is what it gets. One question finds out who is there; who does not answer it is not asked again.
 */
export function createTalk(session: Session, onText: (text: string) => void): Talk {
  const waiting = new Map<number, PromiseWithResolvers<void>>();
  let lastId = 0;
  let isPage = false;

  const sendText = (text: string): Promise<void> => session.send(new TextEncoder().encode(text));
  const send = (word: Word): Promise<void> => sendText(JSON.stringify(word));
  const ask = async (make: (id: number) => Word, atMostMs?: number): Promise<void> => {
    const id = ++lastId;
    const answer = Promise.withResolvers<void>();
    waiting.set(id, answer);
    const timer = atMostMs === undefined ? undefined : setTimeout(() => answer.reject(noAnswer()), atMostMs);
    try {
      await Promise.all([send(make(id)), answer.promise]);
    } finally {
      clearTimeout(timer);
      waiting.delete(id);
    }
  };
  const take = (bytes: Uint8Array): void => {
    const word = parse(bytes);
    if (word === undefined) return onText(new TextDecoder().decode(bytes));
    isPage = true;
    const { type, id } = word;
    if (type === "got" || type === "pong") return waiting.get(id)?.resolve();
    if (type === "text") onText(word.text);
    // Where it does not get there, the other side sees the same end as we do.
    send({ type: type === "text" ? "got" : "pong", id }).catch(() => {});
  };
  const giveUp = (): void => {
    for (const { reject } of waiting.values()) reject(noAnswer());
  };

  const listen = async (): Promise<void> => {
    try {
      for await (const bytes of session) take(bytes);
    } catch (error) {
      if (!isWiceError(error)) throw error;
    }
    await session.closed;
    giveUp();
  };
  /** Who has restarted knows nothing of what was under way. */
  const follow = async (): Promise<void> => {
    for await (const { type } of session.status()) if (type === "moved") giveUp();
  };
  void listen();
  void follow();
  const met = ask((id) => ({ type: "ping", id }), patienceMs).catch(() => {});

  return {
    async say(text) {
      await met;
      if (!isPage) {
        await sendText(text);
        return "sent";
      }
      await ask((id) => ({ type: "text", id, text }));
      return "got";
    },
    async ping() {
      await met;
      if (!isPage) return undefined;
      const startMs = performance.now();
      return await ask((id) => ({ type: "ping", id }), patienceMs).then(
        () => performance.now() - startMs,
        () => undefined,
      );
    },
  };
}

function noAnswer(): WiceError {
  return new WiceError("delivery-unknown", "no answer came");
}

/** Undefined for what is none of the words. */
function parse(bytes: Uint8Array): Word | undefined {
  try {
    const word: Partial<Record<string, unknown>> | null = JSON.parse(new TextDecoder().decode(bytes));
    if (!Number.isSafeInteger(word?.id)) return undefined;
    const isWord =
      word?.type === "text" ? typeof word.text === "string" : ["got", "ping", "pong"].includes(`${word?.type}`);
    return isWord ? (word as unknown as Word) : undefined;
  } catch {
    return undefined;
  }
}
