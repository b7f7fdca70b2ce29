/** Somebody with the key of a peer who says what no honest peer would, under as many instances as it likes. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type EnvelopeTransport, encodeMessage, type PrivateKey, seal } from "@wice/core";
import { createSeededRandom } from "@wice/core/testing";
import { fromHex } from "../../../../src/bytes.ts";
import {
  HeaderSchema,
  SessionDescriptionSchema,
  SessionDescription_Kind as WireKind,
  Role as WireRole,
} from "../../../../src/gen/wice/v1/message_pb.ts";
import type { Actor, Stage } from "../../support/stage.ts";

export type WireDescription = MessageInitShape<typeof SessionDescriptionSchema>;

export interface Puppet {
  readonly key: PrivateKey;
  /** Under the first instance, unless another is named. Resolves when it was heard. */
  say(description: WireDescription, options?: { readonly instance?: string }): Promise<void>;
}

export const kinds = WireKind;

/** The other key than the one whom it speaks to. */
export function createPuppet(stage: Stage, whom: Actor, key: PrivateKey): Puppet {
  const transport: EnvelopeTransport = stage.wire.network.connect();
  const sequences = new Map<string, bigint>();
  const { bytes } = createSeededRandom(7);
  const isControlling = key.publicKey.compare(whom.key.publicKey) < 0;

  return {
    key,
    async say(description, { instance = "d".repeat(32) } = {}) {
      // Beyond what an honest process under this instance has used.
      const sequence = (sequences.get(instance) ?? 500n) + 1n;
      sequences.set(instance, sequence);
      const header = create(HeaderSchema, {
        senderRole: isControlling ? WireRole.CONTROLLING : WireRole.CONTROLLED,
        instance: fromHex(instance),
        sequence,
      });
      const session = create(SessionDescriptionSchema, description);
      const pair = { ours: key, theirs: whom.key.publicKey };
      await transport.publish(await seal(pair, encodeMessage({ header, session }), { random: bytes }));
      await stage.clock.advance(0);
    },
  };
}

/** 16 bytes that name a session. */
export function idOf(number: number): Uint8Array {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(12, number);
  return id;
}

/** 32 hexadecimal digits that name an instance. */
export function instanceOf(number: number): string {
  return number.toString(16).padStart(32, "e");
}

/** An offer that an honest peer could make, but for what is given. */
export function offers(fields: WireDescription = {}): WireDescription {
  return {
    kind: WireKind.OFFER,
    epoch: 1n,
    sessionId: idOf(1),
    ufrag: "puppetufrag",
    pwd: "p".repeat(24),
    sdp: "v=0\r\no=- puppet 0 IN IP4 0.0.0.0\r\n",
    agents: ["rtc"],
    ...fields,
  };
}
