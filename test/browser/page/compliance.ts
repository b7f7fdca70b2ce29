/** The compliance suites, case by case, over any medium. */

import { createBackend, createInProcessNetwork, type EnvelopeTransport } from "@wice/core";
import { backendCompliance, type ComplianceCase, transportCompliance } from "@wice/core/testing";
import type { ComplianceSuite, Medium, WebPage } from "../web-page.ts";
import { type Neighbour, openNeighbour, transportOfNeighbour } from "./neighbour.ts";
import { openTransport } from "./peers.ts";

export function createCompliance(): Pick<WebPage, "runCase"> {
  let neighbour: Promise<Neighbour> | undefined;
  const connector: Connector = async (medium) => {
    if (medium.kind === "inprocess") {
      const network = createInProcessNetwork();
      return () => network.connect();
    }
    const { transport } = medium;
    if (medium.tabs === undefined) return () => openTransport(transport);
    neighbour ??= openNeighbour();
    const other = await neighbour;
    let count = 0;
    return () => {
      count += 1;
      return count % 2 === 1 ? openTransport(transport) : transportOfNeighbour(other, transport);
    };
  };
  return {
    async runCase(medium, suite, name) {
      const found = casesOf(() => connector(medium), suite).find((each) => each.name === name);
      if (found === undefined) throw new Error(`no case is named ${name}`);
      await found.run();
    },
  };
}

/** Resolves with what makes the transports of one case. */
type Connector = (medium: Medium) => Promise<() => EnvelopeTransport>;

function casesOf(connector: () => ReturnType<Connector>, suite: ComplianceSuite): readonly ComplianceCase[] {
  const open: { close(): Promise<void> }[] = [];
  const opened = <T extends { close(): Promise<void> }>(each: T): T => {
    open.push(each);
    return each;
  };
  const teardown = async (): Promise<void> => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  };
  if (suite === "transport") {
    const setup = async () => {
      const connect = await connector();
      return { connect: () => opened(connect()) };
    };
    return transportCompliance({ setup, teardown });
  }
  const setup = async () => {
    const connect = await connector();
    return { connect: () => opened(createBackend(connect())) };
  };
  return backendCompliance({ setup, teardown });
}
