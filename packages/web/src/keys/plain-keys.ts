/** X25519 in plain JavaScript, in a module of its own so that bundlers load it only where it is needed. */

export { generatePrivateKey, importPrivateKey } from "@wice/core";
