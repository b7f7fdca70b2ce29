/** Channels of a TURN server (RFC 8656, section 12): a header of 4 bytes instead of 36, for the path in use. */

import type { Timer } from "@wice/core";
import { attribute, type Endpoint, method } from "./stun-message.ts";
import { askAgainMs, isMismatch, isSilence, type TurnUpkeep } from "./turn-requests.ts";

export interface TurnChannels {
  /** This is where the data goes. */
  prefer(peer: Endpoint): void;
  /** Undefined where the server has bound none: what is sent needs the long header then. */
  numberOf(address: string, port: number): number | undefined;
  peerOf(number: number): Endpoint | undefined;
  end(): void;
}

const first = 0x4000;
const last = 0x4fff;
/** A channel lives for 10 minutes, but binding it renews the permission too, which ends after 5. */
const renewMs = 240_000;
/** Where data has gone lately. Those of before are not renewed; some data may still come on them. */
const maxBound = 8;
const lifetimeMs = 600_000;

interface Channel {
  readonly number: number;
  readonly peer: Endpoint;
  isBound: boolean;
  timer: Timer | undefined;
}

export function createTurnChannels({ clock, ask, onMismatch }: TurnUpkeep): TurnChannels {
  /** By number; those preferred longest ago come first. */
  const channels = new Map<number, Channel>();
  /** By peer, without those that are not renewed. */
  const current = new Map<string, Channel>();
  let next = first;

  const bind = async (channel: Channel): Promise<void> => {
    const { number, peer } = channel;
    const value = Buffer.alloc(4);
    value.writeUInt16BE(number, 0);
    const answer = await ask(method.channelBind, [
      [attribute.channelNumber, value],
      [attribute.xorPeerAddress, peer],
    ]);
    if (current.get(nameOf(peer)) !== channel) return;
    channel.isBound = !("code" in answer);
    const later = (delayMs: number): void => {
      channel.timer = clock.schedule(delayMs, () => void bind(channel));
    };
    if (!("code" in answer)) later(renewMs);
    else if (isMismatch(answer)) onMismatch();
    else if (isSilence(answer)) later(askAgainMs);
    else retire(channel);
  };
  const retire = (channel: Channel): void => {
    channel.timer?.cancel();
    channel.isBound = false;
    current.delete(nameOf(channel.peer));
    channel.timer = clock.schedule(lifetimeMs, () => channels.delete(channel.number));
  };

  return {
    prefer(peer) {
      const name = nameOf(peer);
      const known = current.get(name);
      if (known !== undefined) {
        current.delete(name);
        current.set(name, known);
        return;
      }
      // The server would refuse a second one for as long as it has the first.
      const isRetired = [...channels.values()].some((each) => nameOf(each.peer) === name);
      if (isRetired || next > last) return;
      const channel: Channel = { number: next, peer, isBound: false, timer: undefined };
      next += 1;
      channels.set(channel.number, channel);
      current.set(name, channel);
      for (const oldest of current.values()) {
        if (current.size <= maxBound) break;
        retire(oldest);
      }
      void bind(channel);
    },
    numberOf(address, port) {
      const channel = current.get(nameOf({ address, port }));
      return channel?.isBound === true ? channel.number : undefined;
    },
    peerOf: (number) => channels.get(number)?.peer,
    end() {
      for (const channel of channels.values()) channel.timer?.cancel();
      channels.clear();
      current.clear();
    },
  };
}

function nameOf({ address, port }: Endpoint): string {
  return `${address} ${port}`;
}
