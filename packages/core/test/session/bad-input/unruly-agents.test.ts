/** An agent that breaks its contract does not hang the process. */

import { expect, test } from "vitest";
import { createMachine } from "../support/machine.ts";

test("an agent that connects before anything was agreed does not make the machine spin", () => {
  const machine = createMachine({ role: "controlling" });
  machine.take({ type: "want", wanted: true });
  const connect = (index: number) => {
    const attempt = machine.peering.attempts[index];
    const number = attempt?.connection?.number ?? 0;
    machine.tell(attempt?.id ?? "", { type: "state", connection: number, state: "connected", forged: false });
  };
  connect(0);
  machine.tell(machine.peering.attempts[0]?.id ?? "", { type: "refused", connection: 1, code: "closed" });
  machine.pass(4_000);
  connect(1);
  machine.tell(machine.peering.attempts[0]?.id ?? "", {
    type: "refused",
    connection: machine.peering.attempts[0]?.connection?.number ?? 0,
    code: "closed",
  });
  expect(() => machine.pass(60_000)).not.toThrow();
});
