/** `wice relay`: where it listens, how it stops, what it tells its peers. */

import { writeFile } from "node:fs/promises";
import { connect } from "node:http2";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCertificate } from "../kit/certificate.ts";
import { createScene, runWice, type Scene, startRelay, startWice } from "./wice-process.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

describe.concurrent("wice relay", () => {
  test.each([
    ["127.0.0.1:0", /^http:\/\/127\.0\.0\.1:\d+$/],
    ["localhost:0", /^http:\/\/127\.0\.0\.1:\d+$/],
    ["[::1]:0", /^http:\/\/\[::1\]:\d+$/],
    [":0", /^http:\/\/(\[::1\]|127\.0\.0\.1):\d+$/],
  ])("listens on %s and prints the URL that clients use, in one line", async (listen, expected) => {
    await using relay = await startRelay(listen);
    expect(relay.url).toMatch(expected);
    expect(relay.stdout).toMatch(/^listening on \S+( and every other address of this machine)?\n$/);
    expect(relay.stdout.includes("every other address")).toBe(listen === ":0");
    const session = connect(relay.url);
    await new Promise((resolve, reject) => session.once("remoteSettings", resolve).once("error", reject));
    session.destroy();
  });

  test.each(["SIGINT", "SIGTERM"] as const)("stops in order on %s, with 0", async (signal) => {
    const peer = await scene.key(`stop-${signal}`);
    await using relay = await startRelay();
    await using inbox = await startWice(["subscribe", "--key", peer.file, "--relay", relay.url]);
    await inbox.until("stderr", /subscribed/);
    relay.kill(signal);
    expect(await relay.ended).toEqual({ code: 0, signal: null });
    expect(relay.stderr).toMatch(/^stopping: 1 connection, 1 subscription; a second signal stops at once\nstopped: /);
    await inbox.until("stderr", /lost:/);
  });

  test("a second signal ends it at once", async () => {
    await using relay = await startRelay();
    const [from, to] = await Promise.all([scene.key("second-from"), scene.key("second-to")]);
    await using inbox = await startWice(["subscribe", "--key", to.file, "--relay", relay.url]);
    await inbox.until("stderr", /subscribed/);
    // It does not read any more, and more waits for it than HTTP/2 lets the relay send.
    inbox.kill("SIGSTOP");
    const input = `${JSON.stringify("x".repeat(30_000))}\n`.repeat(10);
    const args = ["publish", to.publicKey, "--key", from.file, "--relay", relay.url];
    expect(await runWice(args, { input })).toMatchObject({ code: 0 });
    relay.kill("SIGTERM");
    await relay.until("stderr", /stopping/);
    // One that follows at once is taken for the same.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const started = performance.now();
    relay.kill("SIGTERM");
    expect(await relay.ended).toEqual({ code: 143, signal: null });
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  test("a signal that arrives twice at once, as npx passes it on, is one", async () => {
    await using relay = await startRelay();
    relay.kill("SIGTERM");
    relay.kill("SIGINT");
    expect(await relay.ended).toEqual({ code: 0, signal: null });
    expect(relay.stderr).toMatch(/stopped: /);
  });

  test("--json tells programs what happens", async () => {
    await using relay = await startWice(["relay", "--listen", "localhost:0", "--json"]);
    await relay.until("stdout", /\n/);
    const { event, url, port } = JSON.parse(relay.stdout);
    expect({ event, url }).toEqual({ event: "listening", url: `http://127.0.0.1:${port}` });
    relay.kill("SIGTERM");
    await relay.ended;
    const events = relay.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(["listening", "stopping", "stopped"]);
    expect(events[2].counters).toMatchObject({ connections: 0, published: 0 });
    expect(relay.stderr).toBe("");
  });

  test("outlives the reader of its output, and works with a closed stdin", async () => {
    await using relay = await startRelay("127.0.0.1:0");
    relay.stdin.end();
    relay.output.destroy();
    const [from, to] = await Promise.all([scene.key("reader-from"), scene.key("reader-to")]);
    const args = ["publish", to.publicKey, "--key", from.file, "--relay", relay.url];
    expect(await runWice(args, { input: "1" })).toMatchObject({ code: 0 });
    relay.kill("SIGTERM");
    expect(await relay.ended).toEqual({ code: 0, signal: null });
  });

  test("speaks TLS, to those who trust its certificate", async (context) => {
    const certificate = await createCertificate().catch(() => undefined);
    if (certificate === undefined) return context.skip("needs openssl");
    const [cert, key] = [join(scene.folder, "cert.pem"), join(scene.folder, "tls.pem")];
    await writeFile(cert, certificate.cert);
    await writeFile(key, certificate.key);
    await using relay = await startRelay("127.0.0.1:0", ["--tls-cert", cert, "--tls-key", key]);
    expect(relay.url).toMatch(/^https:/);
    const [from, to] = await Promise.all([scene.key("tls-from"), scene.key("tls-to")]);
    await using inbox = await startWice(["subscribe", "--key", to.file, "--relay", relay.url, "--ca", cert]);
    await inbox.until("stderr", /subscribed/);
    const args = ["publish", to.publicKey, "--key", from.file, "--delivered", "--relay"];
    expect(await runWice([...args, `${relay.url}?skip_verify=true`], { input: '"over TLS"' })).toMatchObject({
      code: 0,
    });
    await inbox.until("stdout", /over TLS/);
    const refused = await runWice([...args, relay.url], { input: "1" });
    expect(refused).toMatchObject({ code: 1, stderr: /the certificate of .* is refused/ });
  });

  test("lets pages of every origin in, or those of --origin only", async () => {
    const allowed = async (url: string, origin: string): Promise<string | null> => {
      const headers = { origin, "access-control-request-method": "POST" };
      const path = "/cunicu.signaling.Signaling/Publish";
      const answer = await fetch(`${url}${path}`, { method: "OPTIONS", headers });
      return answer.headers.get("access-control-allow-origin");
    };
    await using open = await startRelay();
    expect(await allowed(open.url, "https://any.example")).toBe("*");
    const origins = ["https://example.org", "http://localhost:5173"];
    await using chosen = await startRelay(
      "127.0.0.1:0",
      origins.flatMap((origin) => ["--origin", origin]),
    );
    for (const origin of origins) expect(await allowed(chosen.url, origin)).toBe(origin);
    expect(await allowed(chosen.url, "https://any.example")).toBeNull();
  });

  test("--max-envelope-bytes raises the limit for those who raise theirs", async () => {
    await using relay = await startRelay("127.0.0.1:0", ["--max-envelope-bytes", "300000"]);
    const [from, to] = await Promise.all([scene.key("max-from"), scene.key("max-to")]);
    const more = ["--max-envelope-bytes", "300000", "--relay", relay.url];
    await using inbox = await startWice(["subscribe", "--key", to.file, ...more]);
    await inbox.until("stderr", /subscribed/);
    const input = JSON.stringify("x".repeat(200_000));
    const args = ["publish", to.publicKey, "--key", from.file, "--delivered", ...more];
    expect(await runWice(args, { input })).toMatchObject({ code: 0 });
    await inbox.until("stdout", /x{200000}/);
  });
});
