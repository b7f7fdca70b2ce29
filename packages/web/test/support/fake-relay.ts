/** A relay behind `fetch`: what it is asked, and answers byte by byte as the two protocols have them. */

export interface Asked {
  readonly url: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly signal: AbortSignal;
}

export interface FakeRelay {
  readonly fetch: typeof globalThis.fetch;
  readonly asked: readonly Asked[];
}

/** Each call is answered by the function; without an answer it hangs until it is aborted. */
export function createFakeRelay(answer: (asked: Asked) => Response | Promise<Response> | undefined): FakeRelay {
  const all: Asked[] = [];
  return {
    asked: all,
    fetch: async (input, init = {}) => {
      const signal = init.signal ?? new AbortController().signal;
      signal.throwIfAborted();
      const asked = {
        url: String(input),
        headers: new Headers(init.headers),
        body: new Uint8Array(await new Response(init.body ?? null).arrayBuffer()),
        signal,
      };
      all.push(asked);
      const answered = answer(asked);
      if (answered !== undefined) return answered;
      signal.throwIfAborted();
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  };
}

/** A frame of either protocol. */
export function frame(data: Uint8Array | string, flags = 0): Uint8Array<ArrayBuffer> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const { length } = bytes;
  return Uint8Array.of(flags, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255, ...bytes);
}

/** The last frame of a stream in Connect. */
export function connectEnd(end: object): Uint8Array<ArrayBuffer> {
  return frame(JSON.stringify(end), 0b10);
}

/** The last frame of every answer in gRPC-Web. */
export function grpcWebEnd(trailers: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  return frame(lines.join(""), 0x80);
}

/** A body that comes in these pieces, and then ends, fails, or goes on in silence. */
export function bodyOf(pieces: readonly Uint8Array[], then: "ends" | "goes on" | Error = "ends"): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      if (then === "ends") controller.close();
      else if (then !== "goes on") controller.error(then);
    },
  });
}

export function answered(type: string, body: BodyInit | null, status = 200, headers: HeadersInit = {}): Response {
  return new Response(body, { status, headers: { ...headers, "content-type": type } });
}
