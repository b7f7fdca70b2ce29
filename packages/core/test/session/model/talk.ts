/** Talks over sessions: numbers what is said, and notes what is heard, so that nothing can be lost, swapped or doubled unseen. */

import type { Session } from "@wice/core";

export interface Talk {
  readonly number: number;
  readonly session: Session;
  /** How many messages were given to the session. */
  readonly said: number;
  /** What the session has told of itself. */
  readonly statuses: readonly string[];
  /** The numbers that came, by the talk that said them. */
  readonly heard: ReadonlyMap<number, readonly number[]>;
  /** Who has answered the last question. */
  readonly partner: number | undefined;
  say(): void;
  /** The other end answers with its name. */
  ask(): void;
}

interface Line {
  readonly from: number;
  readonly n: number;
  readonly asks?: boolean;
  readonly answers?: boolean;
}

export function createTalk(number: number, session: Session): Talk {
  let said = 0;
  let partner: number | undefined;
  const statuses: string[] = [];
  const heard = new Map<number, number[]>();

  const send = (what: Omit<Line, "from" | "n">): void => {
    said += 1;
    const line: Line = { from: number, n: said, ...what };
    // A session that ends takes what waits with it.
    session.send(new TextEncoder().encode(JSON.stringify(line))).catch(() => {});
  };
  const listen = async (): Promise<void> => {
    for await (const bytes of session) {
      const { from, n, asks, answers } = JSON.parse(new TextDecoder().decode(bytes)) as Line;
      heard.set(from, [...(heard.get(from) ?? []), n]);
      if (asks === true) send({ answers: true });
      if (answers === true) partner = from;
    }
  };
  const watch = async (): Promise<void> => {
    for await (const status of session.status()) statuses.push(status.type);
  };
  listen().catch(() => {});
  void watch();

  return {
    number,
    session,
    statuses,
    heard,
    get said() {
      return said;
    },
    get partner() {
      return partner;
    },
    say: () => send({}),
    ask() {
      partner = undefined;
      send({ asks: true });
    },
  };
}
