/** Why a message did not arrive, and what to do: one sentence for each. */

import { isWiceError } from "@wice/core";

export function failureText(error: unknown, recipient: string): string {
  if (!isWiceError(error)) return "Not sent, by a defect of this page. Load it again, and please report it.";
  switch (error.code) {
    case "not-delivered":
      return `Not delivered: ${recipient} could not be reached. Send it again when it is there.`;
    case "delivery-unknown":
      return `Perhaps delivered: no receipt of ${recipient} came back. Look there before you send it again.`;
    case "too-large":
      return "Not sent: it is too long for one envelope. Write less.";
    case "resource-exhausted":
      return "Not sent: the relay has had enough for now. Wait a little, then send it again.";
    case "unavailable":
      return "Not sent: the relay cannot be reached. Send it again when it is back.";
    case "protocol":
    case "unsupported":
      return "Not sent: what answers at the relay’s address is no relay. Use another one.";
    case "closed":
      return "Not sent: its sender has gone meanwhile. Send it again.";
    default:
      return `Not sent: ${error.message}. Load the page again, or use another relay.`;
  }
}
