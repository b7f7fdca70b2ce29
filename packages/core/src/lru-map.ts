/** A map that forgets what was not used for longest. */

export interface LruMap<K, V> {
  /** Counts as a use. */
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): void;
  values(): Iterable<V>;
}

/**
 * @param limit entries at most, asked for when one is set; pinned ones may exceed it
 * @param onEvict called with each entry that is forgotten for want of room
 * @param pinned entries that may not be forgotten now
 */
export function createLruMap<K, V>(
  limit: () => number,
  onEvict: (key: K, value: V) => void = () => {},
  pinned: (value: V) => boolean = () => false,
): LruMap<K, V> {
  const entries = new Map<K, V>();
  return {
    get(key) {
      const value = entries.get(key);
      if (value !== undefined) {
        entries.delete(key);
        entries.set(key, value);
      }
      return value;
    },
    set(key, value) {
      entries.delete(key);
      const most = limit();
      if (entries.size >= most) {
        // More than one where many were pinned until now.
        for (const [oldest, candidate] of entries) {
          if (pinned(candidate)) continue;
          entries.delete(oldest);
          onEvict(oldest, candidate);
          if (entries.size < most) break;
        }
      }
      entries.set(key, value);
    },
    delete(key) {
      entries.delete(key);
    },
    values: () => entries.values(),
  };
}
