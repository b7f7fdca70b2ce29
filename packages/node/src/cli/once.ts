/** The function, for its first call only. */

export function once<A extends readonly unknown[]>(act: (...args: A) => unknown): (...args: A) => void {
  let done = false;
  return (...args) => {
    if (done) return;
    done = true;
    act(...args);
  };
}
