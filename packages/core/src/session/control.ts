/** What the two ends of a session tell each other on its control channel. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type ControlFrame, ControlFrameSchema } from "../gen/wice/v1/control_pb.ts";

export type { ControlFrame };

export function encodeControl(frame: MessageInitShape<typeof ControlFrameSchema>): Uint8Array<ArrayBuffer> {
  return toBinary(ControlFrameSchema, create(ControlFrameSchema, frame));
}

/** Undefined for what is none. */
export function decodeControl(bytes: Uint8Array): ControlFrame | undefined {
  try {
    return fromBinary(ControlFrameSchema, bytes);
  } catch {
    return undefined;
  }
}
