/** What the page of these tests can do for them. */

export interface WebPage {
  /** Runs one case of a compliance suite of `@wice/core/testing`. */
  runCase(medium: Medium, suite: ComplianceSuite, name: string): Promise<void>;
  /** Whether the browser offers here what it keeps for secure contexts. */
  isSecure(): boolean;
  /** Breaks the rules of the page, to show that it is noticed. */
  misbehave(how: "eval" | "inline script" | "console" | "uncaught" | "reject"): void;
}

export type ComplianceSuite = "transport" | "backend";

/** What carries the envelopes. */
export interface Medium {
  readonly kind: "inprocess";
}
