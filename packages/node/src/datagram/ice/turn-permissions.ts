/** From which addresses a TURN server lets packets through to us: asked for, and kept. */

import type { Timer } from "@wice/core";
import { attribute, method } from "./stun-message.ts";
import { askAgainMs, isMismatch, isSilence, type TurnUpkeep } from "./turn-requests.ts";

export interface TurnPermissions {
  /** Packets from this address are wanted. */
  permit(address: string): void;
  isPermitted(address: string): boolean;
  end(): void;
}

/** They end after 5 minutes. */
const lifetimeMs = 300_000;
const renewMs = 240_000;
/** More than what the peer's candidates can be of two sets of credentials. The one that was wanted first goes. */
const maxPermissions = 256;

interface Permission {
  isGranted: boolean;
  /** How long it holds, or is asked for, though the server says nothing any more. */
  untilMs: number;
  timer: Timer | undefined;
}

export function createTurnPermissions({ clock, ask, onMismatch }: TurnUpkeep): TurnPermissions {
  const permissions = new Map<string, Permission>();

  const renew = async (address: string, permission: Permission): Promise<void> => {
    const askedAtMs = clock.now();
    const answer = await ask(method.createPermission, [[attribute.xorPeerAddress, { address, port: 0 }]]);
    if (permissions.get(address) !== permission) return;
    const later = (delayMs: number): void => {
      permission.timer = clock.schedule(delayMs, () => void renew(address, permission));
    };
    if (!("code" in answer)) {
      permission.isGranted = true;
      permission.untilMs = askedAtMs + lifetimeMs;
      later(renewMs);
    } else if (isMismatch(answer)) {
      onMismatch();
    } else if (isSilence(answer) && clock.now() < permission.untilMs) {
      // Nothing goes this way before there is one.
      later(permission.isGranted ? askAgainMs : 0);
    } else {
      // It is asked for again when it is wanted again.
      permissions.delete(address);
    }
  };
  const forget = (address: string): void => {
    permissions.get(address)?.timer?.cancel();
    permissions.delete(address);
  };

  return {
    permit(address) {
      const known = permissions.get(address);
      const permission = known ?? { isGranted: false, untilMs: clock.now() + lifetimeMs, timer: undefined };
      permissions.delete(address);
      permissions.set(address, permission);
      for (const oldest of permissions.keys()) {
        if (permissions.size <= maxPermissions) break;
        forget(oldest);
      }
      if (known === undefined) void renew(address, permission);
    },
    isPermitted: (address) => permissions.get(address)?.isGranted === true,
    end() {
      for (const address of [...permissions.keys()]) forget(address);
    },
  };
}
