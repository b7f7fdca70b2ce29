/// <reference lib="esnext.disposable" preserve="true" />
/** `await using` for whatever has a `close`, where the runtime knows the symbol. */

export function disposable<T extends { close(): Promise<void> }>(object: T): T & AsyncDisposable {
  if (Symbol.asyncDispose !== undefined) {
    Object.defineProperty(object, Symbol.asyncDispose, { value: () => object.close() });
  }
  return object as T & AsyncDisposable;
}
