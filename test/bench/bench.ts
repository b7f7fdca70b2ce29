/**
 * `npm run bench [-- TOPIC…] [--quick] [--json FILE] [--strict]`: how fast, how large.
 *
 * A topic is named by its name or the beginning of it. With `--strict` a bar that does not hold is a failure.
 */

import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { bundles } from "./bundles.ts";
import { connect } from "./connect/connect.ts";
import { crypto } from "./crypto.ts";
import { kubernetes } from "./kubernetes/api-server.ts";
import { describeMachine, formatMachine } from "./machine.ts";
import { several } from "./multi.ts";
import { page } from "./page.ts";
import { playground } from "./playground.ts";
import { formatReport } from "./print.ts";
import { relayCpu } from "./relay/cpu.ts";
import { relayLatency } from "./relay/latency.ts";
import { relayMemory } from "./relay/memory.ts";
import { sealing } from "./sealing.ts";
import { holds, type Report, type Topic } from "./topic.ts";
import { udp } from "./udp/udp.ts";

const topics: readonly Topic[] = [
  relayCpu,
  relayLatency,
  relayMemory,
  crypto,
  sealing,
  udp,
  bundles,
  page,
  playground,
  connect,
  kubernetes,
  several,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    strict: { type: "boolean", default: false },
  },
});
const unknown = positionals.filter((name) => !topics.some((topic) => topic.name.startsWith(name)));
if (unknown.length > 0) {
  console.error(`no topic "${unknown.join('", "')}"; there are: ${topics.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const chosen = topics.filter(
  (topic) => positionals.length === 0 || positionals.some((name) => topic.name.startsWith(name)),
);

const machine = describeMachine();
console.log(`${formatMachine(machine)}${values.quick ? "; a quick run, whose figures are rough" : ""}\n`);
const reports: (Pick<Topic, "name" | "title"> & Report)[] = [];
for (const { name, title, measure } of chosen) {
  const report = await measure({ quick: values.quick });
  reports.push({ name, title, ...report });
  console.log(formatReport(title, report));
}
const bars = reports.flatMap((report) => report.bars);
const missed = bars.filter((bar) => !holds(bar));
console.log(`${bars.length - missed.length} of ${bars.length} bars held`);
for (const { what } of missed) console.log(`missed: ${what}`);

if (values.json !== undefined) {
  const topicsWithVerdict = reports.map((report) => ({
    ...report,
    bars: report.bars.map((bar) => ({ ...bar, held: holds(bar) })),
  }));
  const result = { machine, quick: values.quick, topics: topicsWithVerdict };
  await writeFile(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
}
process.exitCode = values.strict && missed.length > 0 ? 1 : 0;
