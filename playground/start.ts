/** `npm start`: a relay, and the page with two peers that talk through it. */

import { fileURLToPath } from "node:url";
import { styleText } from "node:util";
import { isWiceError } from "@wice/core";
import { createRelay, type Relay } from "@wice/node/relay";
import { type LanAddress, lanAddresses } from "./server/addresses.ts";
import { type LocalCertificate, openCertificate } from "./server/certificate.ts";
import { nextSignal, npmGone } from "./server/interrupt.ts";
import { openOnFirst, openOnHosts, portsToTry } from "./server/listen.ts";
import { help, parseOptions, type StartOptions, UsageError } from "./server/options.ts";
import { openPageServer, type PageServer } from "./server/page-server.ts";

const certificateFile = fileURLToPath(new URL(".cache/certificate.pem", import.meta.url));

interface Playground {
  readonly relay: Relay;
  readonly page: PageServer;
  readonly certificate: LocalCertificate | undefined;
  readonly addresses: readonly LanAddress[];
}

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if (options.help) return void process.stdout.write(help);
  const interrupted = Promise.race([nextSignal(), npmGone()]);
  const playground = await start(options);
  process.stdout.write(welcome(options, playground));
  await interrupted;
  // What comes second wants it at once.
  void nextSignal().then(() => process.exit(1));
  // The page's streams end with the relay's, so that it learns what happened.
  await playground.relay.close({ graceMs: 1_000 });
  await playground.page.close();
}

async function start({ port, relayPort, everywhere, https }: StartOptions): Promise<Playground> {
  const addresses = everywhere ? lanAddresses() : [];
  const names = ["localhost", "127.0.0.1", "::1", ...addresses.map(({ address }) => address)];
  const certificate = https ? await openCertificate(certificateFile, names) : undefined;
  const relay = await openOnFirst(portsToTry(relayPort, 8080), (port) =>
    openOnHosts(everywhere, (host) => createRelay({ host, port })),
  );
  try {
    const page = await openOnFirst(portsToTry(port, 5173), (port) =>
      openOnHosts(everywhere, (host) =>
        openPageServer({ host, port, relay: { host: "127.0.0.1", port: relay.port }, tls: certificate }),
      ),
    );
    return { relay, page, certificate, addresses };
  } catch (error) {
    await relay.close({ graceMs: 0 });
    throw error;
  }
}

function welcome({ everywhere, https }: StartOptions, { relay, page, certificate, addresses }: Playground): string {
  const url = (host: string): string => styleText("bold", `http${https ? "s" : ""}://${host}:${page.port}/`);
  const width = Math.max(0, ...addresses.map(({ address }) => url(address).length)) + 2;
  const lines = ["", `  Open ${url("localhost")}`, ""];
  if (everywhere) {
    lines.push(
      addresses.length === 0 ? "  No other device can reach this machine: it is in no network." : "  On other devices:",
    );
    for (const { address, interfaceName } of addresses) lines.push(`    ${url(address).padEnd(width)}${interfaceName}`);
    lines.push("");
  }
  if (certificate !== undefined) {
    lines.push(
      "  The browser will warn, once per device: this machine made the certificate by itself.",
      "  Choose to go on (in Chrome: Advanced, Proceed). Its SHA-256 fingerprint:",
      ...(certificate.fingerprint.match(/.{1,48}/g) ?? []).map((part) => `    ${part.replace(/:$/, "")}`),
      "",
    );
  }
  lines.push(
    "  Two peers live in the page, and talk through a relay that they need not trust. It",
    `  listens on http://127.0.0.1:${relay.port} for Node agents and for \`npx wice\` as well.`,
    "",
  );
  if (!everywhere) lines.push("  For a phone or another computer: npm start -- --https");
  if (everywhere && !https)
    lines.push("  Other devices keep no keys over plain HTTP; npm start -- --https does better.");
  lines.push("  Ctrl-C stops everything.", "");
  return `${lines.join("\n")}\n`;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError) && !isWiceError(error)) throw error;
  process.stderr.write(`npm start: ${error.message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
