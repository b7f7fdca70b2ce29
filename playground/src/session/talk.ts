/** What the page says over a session: texts with receipts, and a question now and then how long an answer takes. */

import { isWiceError, type Session } from "@wice/core";

/** JSON, in UTF-8. What is none of these is ignored: a peer may be something else than this page. */
type Word =
  | { readonly type: "text"; readonly id: number; readonly text: string }
  | { readonly type: "got"; readonly id: number }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "pong"; readonly id: number };

export interface Talk {
  /** Resolves when the other page has it. */
  say(text: string): Promise<void>;
  /** Resolves with how long an answer took, in milliseconds. */
  ping(): Promise<number>;
}

export function createTalk(session: Session, onText: (text: string) => void): Talk {
  const waiting = new Map<number, { resolve(): void; reject(error: unknown): void }>();
  let lastId = 0;

  const send = (word: Word): Promise<void> => session.send(new TextEncoder().encode(JSON.stringify(word)));
  const ask = async (make: (id: number) => Word): Promise<void> => {
    const id = ++lastId;
    const answered = new Promise<void>((resolve, reject) => waiting.set(id, { resolve, reject }));
    answered.catch(() => {});
    try {
      await send(make(id));
      await answered;
    } finally {
      waiting.delete(id);
    }
  };
  const take = (word: Partial<Word> | null): void => {
    if (typeof word?.id !== "number") return;
    const { id } = word;
    if (word.type === "got" || word.type === "pong") waiting.get(id)?.resolve();
    if (word.type === "ping") answer({ type: "pong", id });
    if (word.type !== "text") return;
    onText(String(word.text));
    answer({ type: "got", id });
  };
  const answer = (word: Word): void => void send(word).catch(() => {});

  const listen = async (): Promise<void> => {
    try {
      for await (const bytes of session) take(parse(bytes));
    } catch (error) {
      if (!isWiceError(error)) throw error;
    }
    const { reason } = await session.closed;
    for (const { reject } of waiting.values()) reject(new Error(`the session is over: ${reason}`));
  };
  void listen();

  return {
    say: (text) => ask((id) => ({ type: "text", id, text })),
    async ping() {
      const startMs = performance.now();
      await ask((id) => ({ type: "ping", id }));
      return performance.now() - startMs;
    },
  };
}

function parse(bytes: Uint8Array): Partial<Word> | null {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}
