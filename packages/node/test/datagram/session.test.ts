import {
  type Agent,
  type AgentConnection,
  createBackend,
  createInProcessNetwork,
  createPeer,
  generatePrivateKey,
  type Peer,
  type PrivateKey,
  type Session,
} from "@wice/core";
import { type DatagramNative, type DatagramOptions, datagram } from "@wice/node/datagram";
import { describe, expect, onTestFinished, test } from "vitest";
import { bindLoopback } from "./support/loopback-socket.ts";

const onLoopback: DatagramOptions = { useAddress: ({ address }) => address === "127.0.0.1" };

describe("a session over datagrams", () => {
  test("connects, is sealed, and carries messages both ways", async () => {
    const startMs = performance.now();
    const { ours, theirs, published } = await meet();
    const connectMs = performance.now() - startMs;
    expect([ours.agent, ours.protection, ours.maxMessageBytes]).toEqual(["datagram", "sealed", 1_179]);
    await exchange(ours, theirs);
    const echoMs = performance.now() - startMs;
    expect(published()).toBeLessThanOrEqual(4);
    console.log(
      `datagrams in Node: connected after ${connectMs.toFixed(0)} ms, the first went both ways after ${echoMs.toFixed(0)} ms; ` +
        `${published()} envelopes`,
    );
    expect(await ours.selectedPair()).toMatchObject({ local: { type: "host" }, remote: { address: "127.0.0.1" } });
  });

  test("takes the largest message, and refuses a larger one", async () => {
    const { ours, theirs } = await meet();
    const reading = read(theirs);
    await ours.send(new Uint8Array(1_179).fill(3));
    expect(await reading).toEqual(new Uint8Array(1_179).fill(3));
    await expect(ours.send(new Uint8Array(1_180))).rejects.toMatchObject({ code: "too-large" });
    expect(() => ours.channel("more")).toThrow(expect.objectContaining({ code: "unsupported" }));
  });

  test.each(["ours", "theirs"] as const)(
    "goes on over restarts that %s wants, while the backend is gone",
    async (who) => {
      const met = await meet();
      met.cut();
      for (let i = 0; i < 3; i++) {
        const before = (await met.ours.selectedPair())?.local.port;
        const epochs = [epochOf(met.ours), epochOf(met.theirs)];
        met[who].restart();
        await expect.poll(() => [epochOf(met.ours), epochOf(met.theirs)]).toEqual(epochs.map((epoch) => epoch + 1));
        await exchange(met.ours, met.theirs);
        expect((await met.ours.selectedPair())?.local.port).toBe(before);
      }
      expect([met.ours.state, met.theirs.state]).toEqual(["connected", "connected"]);
    },
  );

  test("ends in order, at both ends", async () => {
    const { ours, theirs } = await meet();
    await ours.send(Uint8Array.of(1));
    await ours.close({ reason: "enough" });
    expect(await theirs.closed).toMatchObject({ reason: "enough" });
  });

  test("goes on when the other side is a new process", async () => {
    const met = await meet();
    const moved = status(met.ours, "moved");
    const again = await met.restartTheirs();
    await moved;
    await exchange(met.ours, again);
  });

  test("may be unprotected where both sides want that, and says so", async () => {
    const { ours, theirs } = await meet({ ...onLoopback, protect: false });
    expect([ours.protection, theirs.protection]).toEqual(["none", "none"]);
    await exchange(ours, theirs);
    await ours.close();
    await theirs.closed;
  });

  test("is explained where no port of its range is free, and comes to be when one is", async () => {
    const taken = await bindLoopback();
    const { port } = taken.address();
    const { peers, keys } = open({ ...onLoopback, portRange: { min: port, max: port } }, onLoopback);
    const [one, two] = peers;
    const incoming = first(two.incoming);
    const calling = one.connect(keys[1].publicKey);
    const explain = () => one.explain(keys[1].publicKey);
    await expect.poll(() => explain().code).toBe("agent-failed");
    expect(explain().text).toContain(`no port of ${port} to ${port}`);
    taken.close();
    const ours = await calling;
    await exchange(ours, await incoming);
    expect(await ours.selectedPair()).toMatchObject({ local: { port } });
  });

  test("does not come to be when one side protects and the other does not, and both say why", async () => {
    const { peers, keys } = open(onLoopback, { ...onLoopback, protect: false });
    const [one, two] = peers;
    const calls = new AbortController();
    const failure = one.connect(keys[1].publicKey, calls).catch((error: unknown) => error);
    await expect
      .poll(() => [one.explain(keys[1].publicKey).code, two.explain(keys[0].publicKey).code])
      .toEqual(["no-common-agent", "no-common-agent"]);
    calls.abort();
    expect(await failure).toMatchObject({ name: "AbortError" });
  });

  test("is bare with who does not protect, when a peer has both agents", async () => {
    const { ours, theirs } = await meet([onLoopback, { ...onLoopback, protect: false }], {
      ...onLoopback,
      protect: false,
    });
    expect([ours, theirs].map(({ agent, protection }) => [agent, protection])).toEqual([
      ["datagram-bare", "none"],
      ["datagram-bare", "none"],
    ]);
  });
});

interface Met {
  readonly ours: Session<DatagramNative>;
  readonly theirs: Session<DatagramNative>;
  /** Envelopes so far. */
  published(): number;
  /** Nothing is published any more. */
  cut(): void;
  restartTheirs(): Promise<Session<DatagramNative>>;
}

/** Of one agent, or of several by preference. */
type Options = DatagramOptions | readonly DatagramOptions[];

function open(one: Options, two: Options) {
  const network = createInProcessNetwork();
  const keys = [generatePrivateKey(), generatePrivateKey()] as const;
  const connections: AgentConnection[] = [];
  let processes = 0;
  let published = 0;
  let isCut = false;

  const openPeer = (privateKey: PrivateKey, options: Options): Peer<DatagramNative> => {
    const transport = network.connect();
    const mine = processes;
    const backend = createBackend({
      ...transport,
      async publish(envelope, publishOptions) {
        published += 1;
        if (isCut || (privateKey === keys[1] && mine < processes)) return { subscribers: 0 };
        return transport.publish(envelope, publishOptions);
      },
    });
    const agents = [options].flat().map((each): Agent<DatagramNative> => {
      const plain = datagram(each);
      return {
        ...plain,
        hasTurn: false,
        connect(given) {
          const connection = plain.connect(given);
          if (privateKey === keys[1]) connections.push(connection);
          return connection;
        },
      };
    });
    const peer = createPeer({ privateKey, backend, agents, accept: () => true });
    onTestFinished(async () => {
      await peer.close();
      await backend.close();
    });
    return peer;
  };

  return {
    keys,
    peers: [openPeer(keys[0], one), openPeer(keys[1], two)] as const,
    published: () => published,
    cut() {
      isCut = true;
    },
    /** The second one is no more: it says no farewell, and another process takes its place. */
    replace(): Peer<DatagramNative> {
      processes += 1;
      for (const connection of connections) connection.close();
      return openPeer(keys[1], two);
    },
  };
}

async function meet(options: Options = onLoopback, theirOptions: Options = options): Promise<Met> {
  const { keys, peers, published, cut, replace } = open(options, theirOptions);
  const [one, two] = peers;
  const incoming = first(two.incoming);
  const ours = await one.connect(keys[1].publicKey);
  return {
    ...{ ours, theirs: await incoming, published, cut },
    restartTheirs: () => first(replace().incoming),
  };
}

async function first<T>(all: AsyncIterable<T>): Promise<T> {
  for await (const one of all) return one;
  throw new Error("it ended");
}

async function read(session: Session): Promise<Uint8Array> {
  const { done, value } = await session[Symbol.asyncIterator]().next();
  if (done === true) throw new Error("the session ended");
  return value;
}

async function exchange(ours: Session, theirs: Session): Promise<void> {
  for (const [from, to] of [
    [ours, theirs],
    [theirs, ours],
  ] as const) {
    const reading = read(to);
    await from.send(Uint8Array.of(1, 2, 3));
    expect(await reading).toEqual(Uint8Array.of(1, 2, 3));
  }
}

async function status(session: Session, type: string): Promise<void> {
  for await (const each of session.status()) if (each.type === type) return;
}

/** The latest epoch that this side has described itself for. */
function epochOf(session: Session): number {
  const said = session
    .timeline()
    .map(({ event, text }) => (event === "sent" ? /^(?:offer|answer) (\d+)/.exec(text)?.[1] : "0"));
  return Math.max(...said.map((epoch) => Number(epoch ?? 0)));
}
