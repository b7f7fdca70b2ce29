/** A file over a channel of its own: name and size first, then the bytes. */

import { type Channel, isWiceError, type Session } from "@wice/core";

export const maxFileBytes = 256 * 1_048_576;
const chunkBytes = 65_536;
const label = "file";

export interface FileTransfer {
  readonly name: string;
  readonly size: number;
  /** Whoever wants no more of it. The other side sees it end. */
  cancel(): void;
  /** Of the bytes that have gone, or come. */
  onProgress: (bytes: number) => void;
  /** Resolves with the file at its receiver, and with nothing at its sender; rejects when it did not get there. */
  readonly done: Promise<Blob | undefined>;
  /** Why `done` was rejected. */
  reason(error: unknown): FileEnd;
}

/** Why a file has not got there, for people. That somebody did not want it is no failure. */
export interface FileEnd {
  readonly text: string;
  readonly isFailure: boolean;
}

export function isFile({ label: given }: Channel): boolean {
  return given === label;
}

export function sendFile(session: Session, file: File): FileTransfer {
  const channel = session.channel(label);
  const { name, size } = file;
  const send = async (transfer: FileTransfer): Promise<undefined> => {
    await channel.send(new TextEncoder().encode(JSON.stringify({ name, size })));
    const step = Math.min(chunkBytes, channel.maxMessageBytes);
    for (let at = 0; at < size; at += step) {
      const chunk = await file.slice(at, at + step).arrayBuffer();
      await channel.send(new Uint8Array(chunk));
      transfer.onProgress(Math.min(size, at + step));
    }
    // When the other side has taken all of it.
    await channel.writable.close();
    await channel.close();
  };
  return start(channel, { name, size }, send, (error) => {
    if (session.state === "closed") return "the session was closed. Connect, and send it again.";
    if (isLost(session, error)) return "the connection was lost. Send it again.";
    return isWiceError(error) ? undefined : "it cannot be read any more. Choose it again.";
  });
}

/** Resolves when it is known what comes; with nothing where that is no file, or too large. */
export async function receiveFile(session: Session, channel: Channel): Promise<FileTransfer | undefined> {
  const messages = channel[Symbol.asyncIterator]();
  const head = parseHead((await messages.next()).value);
  if (head === undefined) {
    await channel.close();
    return undefined;
  }
  const receive = async (transfer: FileTransfer): Promise<Blob> => {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let bytes = 0;
    while (bytes < head.size) {
      const { done, value } = await messages.next();
      if (done === true) throw new Error("the file ended early");
      parts.push(value as Uint8Array<ArrayBuffer>);
      bytes += value.length;
      transfer.onProgress(bytes);
    }
    return new Blob(parts);
  };
  return start(channel, head, receive, (error) =>
    isLost(session, error) ? "the connection was lost or closed. Ask for it again." : undefined,
  );
}

function isLost({ state }: Session, error: unknown): boolean {
  return state !== "connected" || isWiceError(error, "unavailable");
}

type Head = Pick<FileTransfer, "name" | "size">;

function start(
  channel: Channel,
  head: Head,
  run: (transfer: FileTransfer) => Promise<Blob | undefined>,
  /** Undefined where the other side has cancelled it. */
  failure: (error: unknown) => string | undefined,
): FileTransfer {
  let isCancelled = false;
  let finish = (_: Promise<Blob | undefined>): void => {};
  const done = new Promise<Blob | undefined>((resolve) => {
    finish = resolve;
  });
  const transfer: FileTransfer = {
    ...head,
    cancel() {
      isCancelled = true;
      void channel.close();
    },
    onProgress() {},
    done,
    reason(error) {
      if (isCancelled) return { text: "cancelled here", isFailure: false };
      const text = failure(error);
      return text === undefined
        ? { text: "cancelled by the other side", isFailure: false }
        : { text: `ended: ${text}`, isFailure: true };
    },
  };
  // After whoever started it has said what to call.
  queueMicrotask(() => {
    const running = run(transfer);
    running.catch(() => void channel.close());
    finish(running);
  });
  return transfer;
}

function parseHead(bytes: Uint8Array | undefined): Head | undefined {
  try {
    const { name, size } = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof name !== "string" || !Number.isSafeInteger(size) || size < 0 || size > maxFileBytes) return undefined;
    return { name: name.slice(0, 200), size };
  } catch {
    return undefined;
  }
}

/** In hexadecimal digits; undefined where the browser computes none, as over plain HTTP. */
export async function sha256(file: Blob): Promise<string | undefined> {
  if (globalThis.crypto.subtle === undefined) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
