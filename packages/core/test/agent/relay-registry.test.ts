import { create } from "@bufbuild/protobuf";
import { WiceError } from "@wice/core";
import { registrySource } from "@wice/core/transport";
import { GetRelaysRespSchema } from "@wice/core/wire";
import { describe, expect, test } from "vitest";

interface Named {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly expires?: { readonly seconds: number };
}

const sourceOf = (relays: readonly Named[]) =>
  registrySource(async () => create(GetRelaysRespSchema, { relays: [...relays] }));

describe("the servers that a relay names", () => {
  test("are as WebRTC takes them, with credentials where there are any", async () => {
    const source = sourceOf([
      { url: "stun:stun.example.org" },
      { url: "TURNS:turn.example.org:5349?transport=tcp", username: "ursula", password: "secret" },
    ]);
    expect(await source({})).toEqual({
      servers: [
        { urls: "stun:stun.example.org" },
        { urls: "TURNS:turn.example.org:5349?transport=tcp", username: "ursula", credential: "secret" },
      ],
    });
  });

  test("are good until the first of them ends", async () => {
    const turn = { url: "turn:turn.example.org", username: "ursula", password: "secret" };
    const source = sourceOf([
      { ...turn, expires: { seconds: 2_000 } },
      { ...turn, expires: { seconds: 1_000 } },
      { url: "stun:stun.example.org" },
    ]);
    expect((await source({})).expiresAtMs).toBe(1_000_000);
  });

  test.each<Named>([
    { url: "" },
    { url: "http://stun.example.org" },
    { url: "stun://stun.example.org" },
    { url: "turn:turn.example.org" },
    { url: "turn:turn.example.org", username: "ursula" },
    { url: "turns:turn.example.org", password: "secret", expires: { seconds: 1 } },
  ])("do without one that would cost all the others: $url", async (flawed) => {
    const good = { url: "stun:stun.example.org" };
    expect(await sourceOf([flawed, good])({})).toEqual({ servers: [{ urls: good.url }] });
  });

  test("are sixteen at most, whatever it names", async () => {
    const relays = Array.from({ length: 5_000 }, (_, index) => ({ url: `stun:stun${index}.example.org` }));
    expect((await sourceOf(relays)({})).servers).toHaveLength(16);
  });

  test("are none where it has no registry", async () => {
    const source = registrySource(() => Promise.reject(new WiceError("unsupported", "there is none")));
    expect(await source({})).toEqual({ servers: [] });
  });

  test("are not known where it refuses or cannot be reached", async () => {
    const refusal = new WiceError("permission-denied", "not for you");
    await expect(registrySource(() => Promise.reject(refusal))({})).rejects.toBe(refusal);
  });

  test("are asked for with the caller's signal", async () => {
    const { signal } = new AbortController();
    const asked: unknown[] = [];
    await registrySource(async (options) => {
      asked.push(options.signal);
      return create(GetRelaysRespSchema);
    })({ signal });
    expect(asked).toEqual([signal]);
  });
});
