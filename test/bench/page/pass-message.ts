/** Publishes a message, and resolves when it has been received. */
export type PassMessage = () => Promise<void>;

export const payloadBytes = 100;
