/** Which relay the peers use: `?relay=URL`, or the address that the page came from. */

export interface RelayChoice {
  readonly url: URL;
  /** The page's own address: `npm start` serves both. */
  readonly own: boolean;
}

/** Undefined where `?relay=` is not a URL that a page can reach a relay by. */
export function chooseRelay(page: URL): RelayChoice | undefined {
  const given = page.searchParams.get("relay");
  if (given === null || given.trim() === "") return { url: new URL(page.origin), own: true };
  const url = URL.parse(given.trim());
  if (url === null || !["http:", "https:"].includes(url.protocol)) return undefined;
  return { url, own: url.origin === page.origin };
}
