/** The channel of an agent that only notes what it is given, and does as the test says. */

import type { AgentChannel, WiceError } from "@wice/core";

export interface RecordingPort extends AgentChannel {
  state: AgentChannel["state"];
  bufferedBytes: number;
  /** What was sent, as text. */
  readonly sent: string[];
  /** How many `close` calls there were. */
  readonly closes: number;
  /** Thrown by `send`, once for each. */
  readonly failures: WiceError[];
  /** A message comes. */
  come(message: string | Uint8Array): void;
}

export function createRecordingPort(
  given: Partial<Pick<AgentChannel, "reliable" | "copies" | "maxMessageBytes">> = {},
) {
  const sent: string[] = [];
  const failures: WiceError[] = [];
  let closes = 0;
  const port: RecordingPort = {
    ...{ label: "test", state: "open", reliable: true, id: 7, maxMessageBytes: 65_536, bufferedBytes: 0 },
    ...given,
    ...{ handlers: {}, sent, failures },
    get closes() {
      return closes;
    },
    send(message) {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      sent.push(text(message));
    },
    close() {
      closes += 1;
      port.state = "closed";
    },
    come: (message) => port.handlers.onMessage?.(typeof message === "string" ? bytes(message) : message),
  };
  return port;
}

export const bytes = (content: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(content);
export const text = (content: Uint8Array | undefined): string => new TextDecoder().decode(content);
