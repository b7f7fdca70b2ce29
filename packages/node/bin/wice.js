#!/usr/bin/env node
// Plain JavaScript that any Node parses, so that one that is too old says so instead of failing on newer syntax.

const [major, minor] = process.versions.node.split(".").map(Number);

if (major > 22 || (major === 22 && minor >= 19)) {
  await import("../dist/cli/main.js");
} else {
  console.error(`wice: needs Node 22.19 or newer, and this is Node ${process.versions.node}`);
  process.exitCode = 1;
}
