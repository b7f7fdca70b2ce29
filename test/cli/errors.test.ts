/** What people read when it does not work: one line that says what happened and what to do, and nothing secret. */

import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createScene, type Finished, runWice, type Scene, startRelay } from "./wice-process.ts";

const nowhere = "http://127.0.0.1:1";
const secretKey = "yEHx4HSurYL1WTH1Dm5AcvqA/Bvc6WLY6Re9n1TSPlo=";
const planted = [secretKey, "PLANTED", "correct horse", "Zm9yZ290dGVuIHNlY3JldA"];

let scene: Scene;
let key: string;
let ours: string;
let peer: string;
const file = (name: string): string => join(scene.folder, name);

beforeAll(async () => {
  scene = await createScene();
  const [alice, bob] = await Promise.all([scene.key("alice"), scene.key("bob")]);
  [key, ours, peer] = [alice.file, alice.publicKey, bob.publicKey];
  await writeFile(file("open.key"), `${secretKey}\n`);
  await chmod(file("open.key"), 0o640);
  await writeFile(file("bad.key"), "PLANTED PLANTED\n", { mode: 0o600 });
  await writeFile(file("empty.key"), "", { mode: 0o600 });
  await writeFile(file("not.pem"), "PLANTED");
  await writeFile(file("broken.pem"), "-----BEGIN CERTIFICATE-----\nPLANTED\n-----END CERTIFICATE-----\n");
  await mkdir(file("folder"));
});
afterAll(() => scene[Symbol.asyncDispose]());

/** The code, and the one line; anything planted, a second line, or a trace fails. */
function check({ code, stdout, stderr }: Finished, expected: { readonly code: number; readonly says: RegExp }): void {
  for (const secret of planted) expect(stdout + stderr).not.toContain(secret);
  expect(stderr).not.toMatch(/^\s+at /m);
  const errors = stderr.split("\n").filter((line) => line.startsWith("wice"));
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(expected.says);
  expect({ code, stdout }).toEqual({ code: expected.code, stdout: "" });
}

interface Mistake {
  readonly args: () => readonly string[];
  readonly says: RegExp;
  readonly input?: string;
}

const wrongCommandLines: readonly Mistake[] = [
  { args: () => [], says: /^wice: a command is missing; wice --help lists them$/ },
  { args: () => ["pubish"], says: /^wice: unknown command "pubish"; did you mean wice publish\?$/ },
  {
    args: () => ["zzz"],
    says: /^wice: unknown command "zzz"; known are relay, key, publish, subscribe, connect, listen, kubernetes$/,
  },
  { args: () => [secretKey], says: /^wice: unknown command; known are/ },
  { args: () => ["--listen", ":1"], says: /^wice: a command comes first/ },
  { args: () => ["key"], says: /^wice: key needs one of generate, public, role, passphrase$/ },
  { args: () => ["key", "pulic"], says: /did you mean wice key public\?$/ },
  {
    args: () => ["key", "zzz"],
    says: /^wice: unknown command "key zzz"; known are generate, public, role, passphrase$/,
  },
  { args: () => ["relay", "--lisen", ":1"], says: /^wice relay: unknown option --lisen; did you mean --listen\?$/ },
  { args: () => ["relay", "--secret=PLANTED"], says: /^wice relay: unknown option --secret; --help lists them$/ },
  { args: () => ["relay", "-PLANTED"], says: /^wice relay: unknown option; --help lists them$/ },
  { args: () => ["relay", "PLANTED"], says: /^wice relay: it takes no arguments, only options$/ },
  { args: () => ["relay", "--listen", "8080"], says: /a port needs a colon before it: write :8080, or 127.0.0.1:8080/ },
  { args: () => ["relay", "--listen", "::1:8080"], says: /an IPv6 address stands in brackets: \[::1\]:8080$/ },
  { args: () => ["relay", "--listen", "http://x:1"], says: /it is an address, not a URL; write HOST:PORT/ },
  { args: () => ["relay", "--listen", "1.2.3:80"], says: /not an IPv4 address/ },
  { args: () => ["relay", "--listen", ":65536"], says: /the port must be between 0 and 65535$/ },
  { args: () => ["relay", "--listen", ":1", "--listen", ":2"], says: /--listen is given more than once$/ },
  {
    args: () => ["relay", "--origin", "https://x.example/"],
    says: /--origin: write scheme, host and port as browsers do/,
  },
  { args: () => ["relay", "--origin", "*"], says: /--origin: write scheme, host and port as browsers do/ },
  { args: () => ["relay", "--listen"], says: /--listen needs a value: --listen HOST:PORT$/ },
  { args: () => ["relay", "--json=1"], says: /--json takes no value$/ },
  { args: () => ["relay", "--tls-cert", "x"], says: /--tls-cert and --tls-key go together$/ },
  {
    args: () => ["relay", "--turn", "turn:u:PLANTED@"],
    says: /--turn: not the URL of a STUN or TURN server; write stun:/,
  },
  { args: () => ["relay", "--max-envelope-bytes", "0"], says: /--max-envelope-bytes must be a whole number from 1 to/ },
  { args: () => ["key", "public"], says: /--key FILE is missing; usage: wice key public --key FILE$/ },
  {
    args: () => ["key", "public", "--key", secretKey],
    says: /--key takes the name of a file that holds the key, not the key/,
  },
  {
    args: () => ["key", "role", secretKey.slice(1), "--key", key],
    says: /OTHER: a public key is 44 characters of base64/,
  },
  {
    args: () => ["publish", "--key", key, "--relay", nowhere],
    says: /PEER is missing; usage: wice publish PEER --key FILE --relay URL/,
  },
  {
    args: () => ["publish", peer, "PLANTED", "--key", key, "--relay", nowhere],
    says: /it takes PEER and nothing more/,
  },
  { args: () => ["publish", peer, "--key", key], says: /--relay URL is missing, or --backend URL/ },
  {
    args: () => ["publish", peer, "--key", "-", "--relay", nowhere],
    says: /stdin carries the messages; use a file$/,
    input: secretKey,
  },
  {
    args: () => ["publish", peer, "--key", key, "--relay", nowhere, "--timeout", "-3"],
    says: /--timeout must be a number of seconds above 0 and up to 1000000, for example 2\.5$/,
  },
  {
    args: () => ["publish", peer, "--key", key, "--relay", nowhere, "--timeout", "soon"],
    says: /a number of seconds above 0/,
  },
  { args: () => ["connect", peer, "--key", key, "--relay", nowhere, "--timeout", "9999999"], says: /up to 1000000/ },
  { args: () => ["connect", peer, "--key", "-x", "--relay", nowhere], says: /a dash is written --key=FILE$/ },
  {
    args: () => ["key", "role", ours, "--key", key],
    says: /OTHER is the public key of --key itself; name another peer's key$/,
  },
  { args: () => ["publish", ours, "--key", key, "--relay", nowhere], says: /PEER is the public key of --key itself/ },
  { args: () => ["connect", ours, "--key", key, "--relay", nowhere], says: /PEER is the public key of --key itself/ },
  {
    args: () => ["listen", "--allow", ours, "--key", key, "--relay", nowhere],
    says: /--allow is the public key of --key itself/,
  },
  {
    args: () => ["subscribe", "--from", ours, "--key", key, "--relay", nowhere],
    says: /--from is the public key of --key itself/,
  },
  {
    args: () => ["publish", peer, "--key", key, "--relay", nowhere, "--group", "--delivered"],
    says: /exclude each other/,
  },
  {
    args: () => ["publish", peer, "--key", key, "--relay", "localhost:8080"],
    says: /--relay: the URL has no scheme; write http:\/\/localhost:8080, or https:\/\/localhost:8080 with TLS$/,
  },
  {
    args: () => ["publish", peer, "--key", key, "--backend", "k8s://host/kubeconfig"],
    says: /--backend: not a URL of a Kubernetes cluster: it names no host; write three slashes/,
  },
  {
    args: () => ["publish", peer, "--key", key, "--relay", nowhere, "--backend", `${nowhere}?`],
    says: /--backend: one server is named twice/,
  },
  {
    args: () => ["publish", peer, "--key", key, "--relay", "ftp://x"],
    says: /no transport for "ftp:"; known are grpc, grpcs, http, https$/,
  },
  {
    args: () => ["publish", peer, "--key", key, "--relay", "http://u:PLANTED@x"],
    says: /a user or a password has no meaning in it$/,
  },
  {
    args: () => ["subscribe", "--key", key, "--relay", nowhere, "--from", "AAAA"],
    says: /--from: not a public key: it must be 32 bytes$/,
  },
  {
    args: () => ["subscribe", "--key", key, "--relay", nowhere, "--count", "0"],
    says: /--count must be a whole number/,
  },
];

describe.concurrent("a wrong command line ends with 2", () => {
  test.each(wrongCommandLines.map((mistake) => [String(mistake.says), mistake] as const))("%s", async (_, mistake) => {
    check(await runWice(mistake.args(), { input: mistake.input ?? "" }), { code: 2, says: mistake.says });
  });
});

const failures: readonly Mistake[] = [
  {
    args: () => ["key", "public", "--key", file("none.key")],
    says: /none\.key: it or its directory does not exist; wice key generate --out FILE makes one$/,
  },
  { args: () => ["key", "public", "--key", file("folder")], says: /folder is a directory, not a key file$/ },
  {
    args: () => ["key", "public", "--key", file("open.key")],
    says: /others can get at the key file .*; run: chmod 600 \S+open\.key$/,
  },
  { args: () => ["subscribe", "--key", file("open.key"), "--relay", nowhere], says: /run: chmod 600/ },
  { args: () => ["publish", "PEER", "--key", file("open.key"), "--relay", nowhere], says: /run: chmod 600/ },
  {
    args: () => ["key", "public", "--key", file("bad.key")],
    says: /bad\.key does not hold a private key, which is 44 characters of base64$/,
  },
  { args: () => ["key", "public", "--key", file("empty.key")], says: /empty\.key is empty$/ },
  { args: () => ["key", "public", "--key", "-"], says: /there is no key on stdin; it is one line of base64$/ },
  { args: () => ["key", "public", "--key", "-"], says: /a private key is 44 characters of base64/, input: "PLANTED\n" },
  {
    args: () => ["key", "public", "--key", "-"],
    says: /the key on stdin is longer than 1024 bytes$/,
    input: "PLANTED".repeat(200),
  },
  { args: () => ["key", "generate", "--out", key], says: /alice\.key: it exists already; move it away first$/ },
  { args: () => ["key", "passphrase"], says: /the passphrase is empty; give it on stdin, in one line$/, input: "\n" },
  { args: () => ["key", "passphrase", "--out", file("no/such.key")], says: /does not exist/, input: "correct horse" },
  {
    args: () => ["relay", "--listen", "192.0.2.1:0"],
    says: /192\.0\.2\.1 is not an address of this machine; listen on 0\.0\.0\.0 or ::/,
  },
  {
    args: () => ["relay", "--tls-cert", file("none.pem"), "--tls-key", key],
    says: /--tls-cert: \S+none\.pem cannot be read \(ENOENT\)/,
  },
  {
    args: () => ["relay", "--tls-cert", file("not.pem"), "--tls-key", key],
    says: /--tls-cert: \S+not\.pem is not PEM/,
  },
  {
    args: () => ["relay", "--tls-cert", file("broken.pem"), "--tls-key", file("broken.pem")],
    says: /certificate and key must be PEM, unencrypted, and belong together$/,
  },
  {
    args: () => ["publish", peer, "--key", key, "--relay", nowhere],
    says: /stdin held no line: nothing was published$/,
  },
  {
    args: () => ["publish", peer, "--key", key, "--relay", nowhere],
    says: /stdin held no line: nothing was published$/,
    input: " \n\n",
  },
  {
    args: () => ["publish", "PEER", "--key", key, "--relay", nowhere, "--timeout", "0.5"],
    says: /^wice publish: line 1: the relay could not be reached for 0\.5 s: nothing listens on 127\.0\.0\.1:1; start the server there, or correct the URL$/,
    input: '"PLANTED"',
  },
  {
    args: () => ["publish", "PEER", "--key", key, "--relay", nowhere, "--timeout", "0.5", "--delivered"],
    says: /^wice publish: line 1: the relay could not be reached for 0\.5 s: nothing listens on/,
    input: '"PLANTED"',
  },
  {
    args: () => ["publish", "PEER", "--key", key, "--relay", nowhere],
    says: /line 1 is not JSON, from column 9 on; each line is one JSON value: a text needs "quotes"$/,
    input: '{"a": 1 PLANTED}',
  },
  {
    args: () => ["publish", "PEER", "--key", key, "--relay", nowhere],
    says: /line 1 is not UTF-8 text$/,
    input: "\u00ff",
  },
  {
    args: () => ["publish", "PEER", "--key", key, "--relay", nowhere],
    says: /line 1 is longer than \d+ bytes$/,
    input: `"${"PLANTED".repeat(200_000)}"`,
  },
  {
    args: () => ["publish", "PEER", "--key", key, "--relay", nowhere, "--message"],
    says: /line 1 is not the protobuf JSON of a cunicu\.signaling\.Message; its fields are credentials, candidate, peer, pske, session, payload$/,
    input: '{"credentials":{"pwd":{"PLANTED":1}}}',
  },
  {
    args: () => ["publish", "PEER", "--key", key, "--relay", nowhere, "--message"],
    says: /line 1: header and receipt of a message are written by the backend$/,
    input: '{"receipt":{"instance":"Zm9yZ290dGVuIHNlY3JldA=="}}',
  },
  {
    args: () => ["publish", "PEER", "--key", key, "--relay", "https://127.0.0.1:1", "--ca", file("not.pem")],
    says: /--ca: \S+not\.pem is not PEM/,
  },
];

describe.concurrent("a failure ends with 1", () => {
  test.each(failures.map((mistake) => [String(mistake.says), mistake] as const))(
    "%s",
    async (_, { args, says, input }) => {
      const given = args().map((arg) => (arg === "PEER" ? peer : arg));
      const bytes = input === "\u00ff" ? Uint8Array.of(0x22, 0xff, 0x22) : (input ?? "");
      check(await runWice(given, { input: bytes }), { code: 1, says });
    },
  );

  test("a port that is in use", async () => {
    await using relay = await startRelay();
    const says = new RegExp(
      `^wice relay: 127.0.0.1:${relay.port} is in use by another program; stop that one, or listen on another port$`,
    );
    check(await runWice(["relay", "--listen", `127.0.0.1:${relay.port}`]), { code: 1, says });
  });

  test("a server that is no relay is told apart from one that is not there, and is not waited for", async () => {
    const server = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const args = ["publish", peer, "--key", key, "--relay", `https://127.0.0.1:${port}`];
    check(await runWice(args, { input: "1" }), {
      code: 1,
      says: /does not speak TLS; for a server without TLS, write grpc:\/\/127/,
    });
    const inbox = await runWice(["subscribe", "--key", key, "--relay", `https://127.0.0.1:${port}`]);
    check(inbox, { code: 1, says: /^wice subscribe: .*does not speak TLS/ });
    server.close();
  });

  test("WICE_DEBUG shows where, and still nothing secret", async () => {
    const env = { WICE_DEBUG: "1" };
    const runs = await Promise.all([
      runWice(["key", "public", "--key", file("bad.key")], { env }),
      runWice(["publish", peer, "--key", key, "--relay", nowhere], { env, input: '{"PLANTED" "x"}' }),
      runWice(["publish", peer, "--key", key, "--relay", nowhere, "--message"], { env, input: '{"PLANTED":1}' }),
    ]);
    for (const { code, stderr } of runs) {
      expect(code).toBe(1);
      expect(stderr).toMatch(/^\s+at /m);
      for (const secret of planted) expect(stderr).not.toContain(secret);
    }
  });
});
