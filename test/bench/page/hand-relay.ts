/** A relay as one would speak with it by hand: a `fetch` for each envelope, and one for the stream. */

const prefixBytes = 5;

/** Resolves when the relay has taken it. */
export async function publish(relay: string, envelope: Uint8Array<ArrayBuffer>): Promise<void> {
  const answer = await fetch(new URL("/cunicu.signaling.Signaling/Publish", relay), {
    method: "POST",
    headers: { "content-type": "application/proto", "connect-protocol-version": "1" },
    body: envelope,
  });
  await answer.arrayBuffer();
}

/** Hands over the bytes of each envelope for the key. The first is empty, and says that the stream is there. */
export async function listen(
  relay: string,
  key: Uint8Array,
  onFrame: (bytes: Uint8Array<ArrayBuffer>) => void,
): Promise<void> {
  // ListenRequest { keys: [key] }, with its length before it.
  const request = Uint8Array.of(0, 0, 0, 0, 2 + key.length, 0x0a, key.length, ...key);
  const answer = await fetch(new URL("/wice.v1.Relay/Listen", relay), {
    method: "POST",
    headers: { "content-type": "application/connect+proto", "connect-protocol-version": "1" },
    body: request,
  });
  let rest = new Uint8Array(0);
  for await (const chunk of answer.body ?? []) {
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    let at = 0;
    while (bytes.length - at >= prefixBytes) {
      const end = at + prefixBytes + new DataView(bytes.buffer).getUint32(at + 1);
      if (bytes.length < end) break;
      onFrame(bytes.slice(at + prefixBytes, end));
      at = end;
    }
    rest = bytes.slice(at);
  }
}
