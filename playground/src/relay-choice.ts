/** What carries the envelopes: `?relay=URL`, the address that the page came from, or nothing but the browser. */

export interface RelayChoice {
  readonly url: string;
  /** The page's own address: `npm start` serves both. */
  readonly own: boolean;
  /** `broadcast:`: between the tabs of this browser, without any server. */
  readonly serverless: boolean;
}

export const serverless: RelayChoice = { url: "broadcast:", own: false, serverless: true };

/** Undefined where `?relay=` is not a URL that a page can reach a relay by. */
export function chooseRelay(page: URL): RelayChoice | undefined {
  const given = page.searchParams.get("relay")?.trim() ?? "";
  if (given === "") return { url: page.origin, own: true, serverless: false };
  const url = URL.parse(given);
  if (url?.protocol === "broadcast:") return serverless;
  if (url === null || !["http:", "https:"].includes(url.protocol)) return undefined;
  return { url: url.href.replace(/\/$/, ""), own: url.origin === page.origin, serverless: false };
}
