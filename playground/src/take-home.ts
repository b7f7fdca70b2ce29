/** The code that does what the page does, with the addresses and keys that are on the screen. */

import type { PublicKey } from "@wice/core";
import type { RelayChoice } from "./relay-choice.ts";

export interface Chapter {
  readonly title: string;
  readonly code: string;
}

/** The first stands for itself, and so does the second; the others go on where the second ends. */
export function takeHome(relay: RelayChoice, other: PublicKey | undefined): readonly Chapter[] {
  const key = other?.toString() ?? "the key that the other side prints";
  return [
    {
      title: "Be called",
      code: `import { openPeer } from "@wice/web";

const { peer, privateKey } = await openPeer({ relay: "${relay.url}", key: "called", accept: () => true });
console.log(\`call me: \${privateKey.publicKey}\`);

for await (const session of peer.incoming) {
  for await (const bytes of session) console.log(new TextDecoder().decode(bytes));
}
`,
    },
    {
      title: "Call",
      code: `import { PublicKey } from "@wice/core";
import { openPeer } from "@wice/web";

const { peer } = await openPeer({ relay: "${relay.url}", key: "caller" });
const session = await peer.connect(PublicKey.parse("${key}"));
await session.send(new TextEncoder().encode("hello"));
`,
    },
    {
      title: "Send a file",
      code: `const channel = session.channel("file");
await channel.send(new TextEncoder().encode(JSON.stringify({ name: file.name, size: file.size })));
for (let at = 0; at < file.size; at += 65_536) {
  const part = await file.slice(at, at + 65_536).arrayBuffer();
  await channel.send(new Uint8Array(part)); // waits while the other side is slower
}
await channel.writable.close(); // resolves when the other side has all of it
await channel.close();

// At the other end:
for await (const channel of session.channels) {
  const parts = [];
  for await (const part of channel) parts.push(part.slice());
  const file = new Blob(parts.slice(1)); // the name and the size come first
}
`,
    },
    {
      title: "Video",
      code: `// At either end, before the call:
session.connection.addEventListener("track", ({ streams: [stream] }) => {
  video.srcObject = stream ?? null;
});

// The session negotiates anew by itself.
const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
for (const track of stream.getTracks()) session.connection.addTrack(track, stream);
`,
    },
    {
      title: "Know why",
      code: `console.log(peer.explain(session.remote)); // { code, text, next }
for (const { event, text } of session.timeline()) console.log(event, text);

session.restart(); // look for another path

for await (const status of session.status()) {
  console.log(status.type); // until it is closed: await session.close({ reason: "done" })
}
`,
    },
  ];
}
