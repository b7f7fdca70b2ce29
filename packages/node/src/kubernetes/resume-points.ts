/** Where lost subscriptions go on, so that an API server that restarts costs no envelope. */

export interface ResumePoints {
  /** The subscription to a key was lost after this version. */
  keep(key: string, version: string): void;
  /** Where to go on, if that is not too long ago. */
  take(key: string): string | undefined;
}

const maxKeys = 1_024;

/** @param lifetimeMs after which nobody waits for an envelope any more */
export function createResumePoints(lifetimeMs: number): ResumePoints {
  const points = new Map<string, { readonly version: string; readonly lostAtMs: number }>();
  return {
    keep(key, version) {
      points.delete(key);
      points.set(key, { version, lostAtMs: performance.now() });
      const [oldest] = points.keys();
      if (points.size > maxKeys && oldest !== undefined) points.delete(oldest);
    },
    take(key) {
      const point = points.get(key);
      points.delete(key);
      return point !== undefined && performance.now() - point.lostAtMs < lifetimeMs ? point.version : undefined;
    },
  };
}
