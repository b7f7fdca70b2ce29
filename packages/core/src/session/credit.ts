/** How much may be under way to an application that has not taken it: what both ends of a channel hold each other to. */

export const windowBytes = 4_194_304;
/** What a message counts beside its bytes, so that empty ones are not free. */
const messageCost = 64;

/** What a message counts. */
export function costOf(message: Uint8Array): number {
  return message.length + messageCost;
}

/** Whether one more may go while others are under way. Alone, a message may be of any size. */
export function fitsWindow(underWayCost: number, cost: number): boolean {
  return underWayCost === 0 || underWayCost + cost <= windowBytes;
}
