/** The one error class of wice. Switch on {@link WiceError.code}; the text is for people. */

/** Why a call failed. The union is closed: a new reason is a new code, and a minor release. */
export type WiceErrorCode =
  /** A key is not 32 bytes of canonical base64, or not a point that X25519 can safely use. */
  | "invalid-key"
  /** Both keys of a pair are the same: there is no role to elect. */
  | "equal-keys"
  /** An argument is out of its range, or a combination of options makes no sense. */
  | "invalid-argument"
  /** Bytes that are not an envelope: truncated, a field missing, or of the wrong length. */
  | "invalid-envelope"
  /** An envelope that opened, but does not hold a message. */
  | "invalid-message"
  /** The box does not open: altered, truncated, or sealed by or for somebody else. */
  | "forged"
  /** Text that is not a URL of the form that the transport documents. */
  | "invalid-url"
  /** No transport is registered for the scheme of a URL. */
  | "unknown-scheme"
  /** The message, or the envelope around it, is larger than the backend takes. */
  | "too-large"
  /** A quota or a queue is full. Wait `retryAfterMs`, then try again. */
  | "resource-exhausted"
  /** The server cannot be reached, or went away. */
  | "unavailable"
  /** The server wants a proof of key or a credential that it did not get. */
  | "unauthenticated"
  /** The server knows who asks, and refuses. */
  | "permission-denied"
  /** The server or the peer does not have what was asked for. */
  | "unsupported"
  /** The other side answered something that its protocol does not allow. */
  | "protocol"
  /** `until: "delivered"`: the message was never handed over to any instance of the recipient. */
  | "not-delivered"
  /** `until: "delivered"`: the message may or may not have been taken; no receipt came in time. */
  | "delivery-unknown"
  /** The object was closed before or during the call. */
  | "closed"
  /** A file that holds a private key can be read by others. */
  | "insecure-key-file"
  /** A port or an address is taken, or may not be used. */
  | "address-in-use"
  /** A file cannot be read, or does not hold what it should. */
  | "invalid-file"
  /** A defect of wice. Please report it. */
  | "internal";

export interface WiceErrorOptions {
  readonly cause?: unknown;
  /** The same call may succeed later. Default false. */
  readonly retryable?: boolean;
  /** How long to wait before the next try, where the other side said so, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** What every rejected call of wice rejects with, but for aborts, which reject with the signal's own reason. */
export class WiceError extends Error {
  override readonly name = "WiceError";
  readonly code: WiceErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: WiceErrorCode, message: string, options: WiceErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** A WiceError as it is; anything else becomes the cause of an `internal` one that says who failed. */
export function asWiceError(error: unknown, who: string): WiceError {
  return isWiceError(error) ? error : new WiceError("internal", `${who} failed`, { cause: error });
}

/** Narrows a caught value to a {@link WiceError}, optionally of one code. Works across copies of the package. */
export function isWiceError(error: unknown, code?: WiceErrorCode): error is WiceError {
  return (
    error instanceof Error &&
    error.name === "WiceError" &&
    "code" in error &&
    (code === undefined || error.code === code)
  );
}
