/** The generated protobuf schemas of everything on the wire, for those who speak it themselves. */

export * from "./gen/cunicu/common_pb.ts";
export * from "./gen/cunicu/core/net_pb.ts";
export * from "./gen/cunicu/epdisc/epdisc_pb.ts";
export * from "./gen/cunicu/pdisc/pdisc_pb.ts";
export * from "./gen/cunicu/pske/pske_pb.ts";
export * from "./gen/cunicu/signaling/relay_pb.ts";
export * from "./gen/cunicu/signaling/signaling_pb.ts";
export * from "./gen/wice/v1/control_pb.ts";
export * from "./gen/wice/v1/message_pb.ts";
export * from "./gen/wice/v1/relay_pb.ts";
