import { createAgentPair } from "@wice/core/testing";
import { nodeRtc } from "@wice/node";
import { expect, test } from "vitest";
import { startScriptedTurn } from "./datagram/support/scripted-turn.ts";

test("nodeRtc gives a TURN server the name and the password as they are, whatever is in them", async () => {
  // The first as the relay makes them: when it ends, and whose it is.
  const account = { username: "1795646171:pvbJebW28LPfaOwPGrfJNBYIGrBd+maupvzMGrtfFAM=", credential: "a/+b:@?=%20 &ü" };
  await using server = await startScriptedTurn(account);
  const allocated = new Promise((resolve) => {
    server.says = (request) => {
      resolve(request.name);
      return "yes";
    };
  });
  const agent = await nodeRtc({ iceServers: [{ urls: server.url, ...account }] });
  const pair = createAgentPair(agent, agent);
  try {
    await pair.negotiate();
    expect(await allocated).toBe("allocate");
  } finally {
    pair.close();
  }
});
