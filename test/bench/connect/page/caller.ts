/** One way to connect, in a page. Whoever is called sends back what it hears. */
export interface Caller {
  /** By which others call. */
  readonly name: string;
  /** Connects, sends a message, and resolves when its echo is there. */
  call(to: string): Promise<void>;
  /** Resolves when nothing is connected any more. */
  hangUp(): Promise<void>;
}

/** What is sent, and comes back. */
export function newMessage(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(32));
}
