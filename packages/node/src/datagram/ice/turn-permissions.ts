/** From which addresses a TURN server lets packets through to us: asked for, and kept. */

import type { Clock, Timer } from "@wice/core";
import { attribute, method } from "./stun-message.ts";
import { askAgainMs, isMismatch, isSilence, type TurnRequests } from "./turn-requests.ts";

export interface TurnPermissions {
  /** Packets from this address are wanted. */
  permit(address: string): void;
  isPermitted(address: string): boolean;
  end(): void;
}

export interface TurnPermissionsOptions extends Pick<TurnRequests, "ask"> {
  readonly clock: Clock;
  /** The server does not have our place any more. */
  onMismatch(): void;
}

/** They end after 5 minutes. */
const lifetimeMs = 300_000;
const renewMs = 240_000;
/** More than what the peer's candidates can be of two sets of credentials. The one that was wanted first goes. */
const maxPermissions = 256;

interface Permission {
  /** When the server was last asked that then said yes. */
  sinceMs: number | undefined;
  timer: Timer | undefined;
}

export function createTurnPermissions({ clock, ask, onMismatch }: TurnPermissionsOptions): TurnPermissions {
  const permissions = new Map<string, Permission>();

  const renew = async (address: string, permission: Permission): Promise<void> => {
    const askedAtMs = clock.now();
    const answer = await ask(method.createPermission, [[attribute.xorPeerAddress, { address, port: 0 }]]);
    if (permissions.get(address) !== permission) return;
    const later = (delayMs: number): void => {
      permission.timer = clock.schedule(delayMs, () => void renew(address, permission));
    };
    if (!("code" in answer)) {
      permission.sinceMs = askedAtMs;
      later(renewMs);
    } else if (isMismatch(answer)) {
      onMismatch();
    } else if (isSilence(answer) && permission.sinceMs !== undefined && clock.now() < permission.sinceMs + lifetimeMs) {
      later(askAgainMs);
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
      const permission = known ?? { sinceMs: undefined, timer: undefined };
      permissions.delete(address);
      permissions.set(address, permission);
      for (const oldest of permissions.keys()) {
        if (permissions.size <= maxPermissions) break;
        forget(oldest);
      }
      if (known === undefined) void renew(address, permission);
    },
    isPermitted: (address) => permissions.get(address)?.sinceMs !== undefined,
    end() {
      for (const address of [...permissions.keys()]) forget(address);
    },
  };
}
