/** What agents need that can talk to cunīcu daemons. */

export { cunicuDialect } from "./cunicu.ts";
