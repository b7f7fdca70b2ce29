/** The least that an envelope as a custom resource takes: one POST, one event of a watch, one DELETE. */

import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { createInterface } from "node:readline";
import type { PublicKey } from "@wice/core";
import type { Carrier } from "./api-server.ts";

export interface ByHand {
  /** Kubeconfig files. */
  readonly alice: string;
  readonly bob: string;
  readonly recipient: PublicKey;
}

const path = "/apis/cunicu.li/v1/namespaces/mesh/signalingenvelopes";

export async function connectByHand({ alice, bob, recipient }: ByHand): Promise<Carrier> {
  const [from, to] = [await connect(alice), await connect(bob)];
  const list = JSON.parse(await readAll(await to.send("GET", `${path}?limit=1`)));
  const selector = encodeURIComponent(`recipient=${`${recipient}`.replace("=", "\\=")}`);
  const query = `watch=true&resourceVersion=${list.metadata.resourceVersion}&fieldSelector=${selector}`;
  const watch = await to.send("GET", `${path}?${query}`);
  const events = createInterface(watch)[Symbol.asyncIterator]();
  const added = async (): Promise<string> => {
    for (;;) {
      const { value } = await events.next();
      const { type, object } = JSON.parse(value as string);
      if (type === "ADDED") return object.metadata.name;
    }
  };
  const pending = new Set<Promise<unknown>>();
  return {
    async carry({ sender, body, nonce }) {
      const contents = { body: Buffer.from(body).toString("base64"), nonce: Buffer.from(nonce).toString("base64") };
      const object = {
        ...{ apiVersion: "cunicu.li/v1", kind: "SignalingEnvelope", metadata: { generateName: "e" } },
        ...{ sender: `${sender}`, recipient: `${recipient}`, contents },
      };
      const created = from.send("POST", path, JSON.stringify(object)).then(readAll);
      const [name] = await Promise.all([added(), created]);
      const deleted = to.send("DELETE", `${path}/${name}`).then(readAll);
      pending.add(deleted);
      void deleted.finally(() => pending.delete(deleted));
    },
    async close() {
      await Promise.all(pending);
      watch.destroy();
      from.close();
      to.close();
    },
  };
}

async function connect(kubeconfig: string) {
  const { clusters, users } = JSON.parse(await readFile(kubeconfig, "utf8"));
  const { server, "certificate-authority-data": ca } = clusters[0].cluster;
  const agent = new Agent({ keepAlive: true, ca: Buffer.from(ca, "base64") });
  const authorization = `Bearer ${users[0].user.token}`;
  return {
    send: (method: string, to: string, body?: string) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const headers = { authorization, ...(body !== undefined && { "content-type": "application/json" }) };
        request(`${server}${to}`, { method, agent, headers }, resolve).once("error", reject).end(body);
      }),
    close: () => agent.destroy(),
  };
}

async function readAll(incoming: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += chunk as string;
  return text;
}
