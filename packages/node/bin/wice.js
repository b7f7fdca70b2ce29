#!/usr/bin/env node
// Plain JavaScript that any Node parses, so that one that is too old says so instead of failing on newer syntax.

const [major, minor] = process.versions.node.split(".").map(Number);

if (major > 22 || (major === 22 && minor >= 19)) {
  const { main, processIo } = await import("#cli");
  process.exitCode = await main(process.argv.slice(2), processIo());
} else {
  console.error(`wice: needs Node 22.19 or newer, and this is Node ${process.versions.node}`);
  process.exitCode = 1;
}
