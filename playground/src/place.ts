/** Which pair of keys is this tab's: two tabs must not be the same alice. */

const maxPlaces = 64;

/**
 * 1 for the first tab of this browser, 2 for the second, and so on: the least that no other tab has. It is kept until
 * the tab goes, and the tab has it again when it is loaded anew.
 */
export async function takePlace(): Promise<number> {
  // Only secure contexts have locks; elsewhere keys are not kept, and every tab makes its own.
  if (!("locks" in navigator)) return 1;
  for (let place = 1; place < maxPlaces; place++) {
    if (await tryLock(`wice playground ${place}`)) return place;
  }
  return maxPlaces;
}

function tryLock(name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const held = (lock: Lock | null): Promise<void> | undefined => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => {});
    };
    navigator.locks.request(name, { ifAvailable: true }, held).catch(reject);
  });
}
