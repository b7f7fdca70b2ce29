// The few web-standard globals that core uses, which every browser, Node, Deno and worker has. Declared here, and
// not taken from the DOM's or Node's types, so that the compiler refuses anything else. Never published: the
// declarations in dist/ refer to the globals of the user's own platform.

interface AbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

declare const AbortSignal: {
  timeout(delayMs: number): AbortSignal;
  any(signals: readonly AbortSignal[]): AbortSignal;
};

interface AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
declare const AbortController: { new (): AbortController };

interface URLSearchParams {
  get(name: string): string | null;
}

interface URL {
  readonly protocol: string;
  readonly host: string;
  readonly hostname: string;
  readonly port: string;
  readonly pathname: string;
  readonly search: string;
  readonly searchParams: URLSearchParams;
  readonly href: string;
}
declare const URL: { new (url: string): URL };

interface TextEncoder {
  encode(input: string): Uint8Array<ArrayBuffer>;
}
declare const TextEncoder: { new (): TextEncoder };

declare const crypto: { getRandomValues<T extends Uint8Array>(bytes: T): T };
declare function setTimeout<T extends unknown[]>(
  callback: (...values: T) => void,
  delayMs?: number,
  ...values: T
): unknown;
declare function clearTimeout(timer: unknown): void;
declare function queueMicrotask(callback: () => void): void;
declare const performance: { now(): number };
declare function btoa(binary: string): string;
declare function atob(text: string): string;

interface MessagePort {
  onmessage: (() => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}
declare const MessageChannel: { new (): { readonly port1: MessagePort; readonly port2: MessagePort } };

interface ReadableStreamDefaultController<R> {
  enqueue(chunk: R): void;
  close(): void;
}
interface ReadableStream<R> {
  readonly locked: boolean;
}
declare const ReadableStream: {
  new <R>(
    source: { pull?(controller: ReadableStreamDefaultController<R>): Promise<void>; cancel?(): Promise<void> },
    strategy?: { highWaterMark?: number },
  ): ReadableStream<R>;
};
interface WritableStreamDefaultController {
  readonly signal: AbortSignal;
  error(reason?: unknown): void;
}
interface WritableStream<W> {
  readonly locked: boolean;
}
declare const WritableStream: {
  new <W>(sink: {
    start?(controller: WritableStreamDefaultController): void;
    write?(chunk: W, controller: WritableStreamDefaultController): Promise<void>;
    close?(): Promise<void>;
    abort?(): Promise<void>;
  }): WritableStream<W>;
};
