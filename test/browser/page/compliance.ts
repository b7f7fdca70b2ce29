/** The compliance suites, case by case, over any medium. */

import { createBackend, createInProcessNetwork, type EnvelopeTransport } from "@wice/core";
import { backendCompliance, type ComplianceCase, transportCompliance } from "@wice/core/testing";
import type { ComplianceSuite, Medium, WebPage } from "../web-page.ts";

export const runCase: WebPage["runCase"] = async (medium, suite, name) => {
  const found = casesOf(medium, suite).find((each) => each.name === name);
  if (found === undefined) throw new Error(`no case is named ${name}`);
  await found.run();
};

function casesOf(medium: Medium, suite: ComplianceSuite): readonly ComplianceCase[] {
  const open: { close(): Promise<void> }[] = [];
  const opened = <T extends { close(): Promise<void> }>(each: T): T => {
    open.push(each);
    return each;
  };
  const teardown = async (): Promise<void> => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  };
  const connect = connector(medium);
  return suite === "transport"
    ? transportCompliance({ setup: async () => ({ connect: () => opened(connect()) }), teardown })
    : backendCompliance({ setup: async () => ({ connect: () => opened(createBackend(connect())) }), teardown });
}

function connector(medium: Medium): () => EnvelopeTransport {
  switch (medium.kind) {
    case "inprocess": {
      const network = createInProcessNetwork();
      return () => network.connect();
    }
  }
}
