/** Tells whether two descriptions were made by one connection. */

/**
 * The session id of the `o=` line (RFC 8866, section 5.2), which a connection keeps for its life (RFC 9429, section 5.2);
 * empty where there is no SDP.
 */
export function originOf(sdp: string): string {
  return /^o=\S+ (\S+) /m.exec(sdp)?.[1] ?? "";
}
