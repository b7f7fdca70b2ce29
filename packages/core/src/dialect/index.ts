/** What agents need that can talk to cunīcu daemons. */

export { createCunicuDialect } from "./cunicu.ts";
