import type { Message } from "@wice/core";

export const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
export const payloadText = ({ payload }: Message): string => new TextDecoder().decode(payload);
