/** What carries the envelopes: `?relay=URL`, the address that the page came from, or nothing but the browser. */

export interface RelayChoice {
  readonly url: string;
  /** The page's own address: `npm start` serves both. */
  readonly own: boolean;
  /** `broadcast:`: between the tabs of this browser, without any server. */
  readonly serverless: boolean;
}

export const serverless: RelayChoice = { url: "broadcast:", own: false, serverless: true };

/** What stands after `?relay=`; nothing where that is nothing. */
export function givenRelay(page: URL): string {
  return page.searchParams.get("relay")?.trim() ?? "";
}

export function ownRelay({ origin }: URL): RelayChoice {
  return { url: origin, own: true, serverless: false };
}

/** Undefined for what is not a URL that a page can reach a relay by. */
export function readRelay(given: string): RelayChoice | undefined {
  const url = URL.parse(given.trim());
  if (url?.protocol === "broadcast:") return serverless;
  if (url === null || !["http:", "https:"].includes(url.protocol)) return undefined;
  return { url: url.href.replace(/\/$/, ""), own: false, serverless: false };
}
