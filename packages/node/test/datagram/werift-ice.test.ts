import type { AgentConnection, Candidate } from "@wice/core";
import { datagram } from "@wice/node/datagram";
import { describe, expect, onTestFinished, test } from "vitest";

/** The part of werift-ice that is used: an implementation of ICE that shares no code with ours. */
interface WeriftConnection {
  readonly localUsername: string;
  readonly localPassword: string;
  stunServer: unknown;
  readonly onData: { subscribe(listener: (data: Buffer) => void): unknown };
  readonly onIceCandidate: { subscribe(listener: (candidate: { toSdp(): string }) => void): unknown };
  setRemoteParams(params: { iceLite: boolean; usernameFragment: string; password: string }): void;
  gatherCandidates(): Promise<void>;
  addRemoteCandidate(candidate: unknown): Promise<void>;
  connect(): Promise<void>;
  send(data: Buffer): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

interface Werift {
  readonly Connection: new (controlling: boolean, options: object) => WeriftConnection;
  readonly Candidate: { fromSdp(line: string): unknown };
}

/** By name: its types want other settings than ours. */
const module: string = "werift-ice";

describe.each([
  ["controlling", "controlled"],
  ["controlled", "controlling"],
] as const)("with werift-ice, and we are %s", (role, theirRole) => {
  test("connects, carries datagrams as they are, and sees its end", async () => {
    const { Connection, Candidate } = (await import(module)) as Werift;
    const theirs = new Connection(theirRole === "controlling", {});
    theirs.stunServer = undefined;
    const ours = open(role);
    onTestFinished(async () => {
      ours.connection.close();
      await theirs.close();
    });
    const { ufrag, pwd } = await ours.connection.offer({ restart: false });
    theirs.setRemoteParams({ iceLite: false, usernameFragment: ufrag, password: pwd });
    await theirs.gatherCandidates();
    await expect.poll(() => ours.isComplete()).toBe(true);
    // What it has of ours before it begins; ours knows nothing, and sees who comes.
    for (const candidate of ours.candidates) await theirs.addRemoteCandidate(Candidate.fromSdp(lineOf(candidate)));
    const connecting = theirs.connect();
    await ours.connection.accept({ sdp: "", ufrag: theirs.localUsername, pwd: theirs.localPassword });
    await Promise.all([connecting, expect.poll(() => ours.connection.state).toBe("connected")]);

    const heard: string[] = [];
    theirs.onData.subscribe((data) => heard.push(data.toString()));
    ours.connection.main.send(Buffer.from("to werift"));
    await expect.poll(() => heard).toEqual(["to werift"]);
    const got: string[] = [];
    ours.connection.main.handlers = { onMessage: (message) => got.push(Buffer.from(message).toString()) };
    await theirs.send(Buffer.from("from werift"));
    await expect.poll(() => got).toEqual(["from werift"]);
    await theirs.close();
    await expect.poll(() => ours.connection.state, { timeout: 6_000 }).toBe("disconnected");
  });
});

function lineOf({ foundation, priority, address, port, type }: Candidate): string {
  return `${foundation} 1 udp ${priority} ${address} ${port} typ ${type}`;
}

function open(role: "controlling" | "controlled"): {
  readonly connection: AgentConnection;
  readonly candidates: readonly Candidate[];
  isComplete(): boolean;
} {
  const candidates: Candidate[] = [];
  let complete = false;
  const connection = datagram().connect({
    role,
    bare: true,
    events: {
      onCandidate: (candidate) => candidates.push(candidate),
      onCandidatesComplete() {
        complete = true;
      },
      onState() {},
      onNegotiationNeeded() {},
      onChannel() {},
      onServerError() {},
    },
  });
  return { connection, candidates, isComplete: () => complete };
}
