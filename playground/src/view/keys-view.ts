/** Where the private keys are, and how to have others: new ones, or one that is brought along. */

import { isWiceError } from "@wice/core";
import type { KeyStore } from "@wice/web";
import { byId, slot } from "./slots.ts";

/** `owner`: whose key the first of the names is. Keys that were changed are used by the page when it is loaded anew. */
export function showKeys(store: KeyStore, owner: string, keyNames: readonly string[]): void {
  const root = byId("keys");
  const kept = store.protection === "non-extractable";
  slot(root, "text").textContent = kept
    ? "The private keys of this tab are in the browser’s database, where no script can read those that were made here. Nothing is sent to anybody else."
    : "The private keys of this tab are forgotten with it. Nothing is sent to anybody else.";
  const renew = slot(root, "renew");
  renew.hidden = false;
  renew.addEventListener("click", async () => {
    await Promise.all(keyNames.map((name) => store.delete(name)));
    location.reload();
  });
  const [name] = keyNames;
  if (!kept || name === undefined) return;

  slot(root, "own").hidden = false;
  slot(root, "label").textContent = `Private key of ${owner}`;
  const [input, trouble] = [slot(root, "input", HTMLInputElement), slot(root, "trouble")];
  const attempt = async (run: () => Promise<void>): Promise<void> => {
    trouble.hidden = true;
    try {
      await run();
    } catch (error) {
      if (!isWiceError(error)) throw error;
      trouble.textContent = failures[error.code] ?? `That did not work: ${error.message}. Load the page again.`;
      trouble.hidden = false;
      input.focus();
    }
  };
  slot(root, "form").addEventListener("submit", (event) => {
    event.preventDefault();
    void attempt(() => replaceKey(store, name, input.value.trim()));
  });
  slot(root, "show").addEventListener("click", () => {
    void attempt(async () => {
      input.value = await store.exportText(name);
      input.type = "text";
      input.select();
    });
  });
}

/** Tries the key under another name first: the one that is there must not be lost to a slip of the pen. */
async function replaceKey(store: KeyStore, name: string, key: string): Promise<void> {
  const trial = `${name} on trial`;
  await store.delete(trial);
  await store.import(trial, key);
  await store.delete(trial);
  await store.delete(name);
  await store.import(name, key, { extractable: true });
  location.reload();
}

const failures: Readonly<Partial<Record<string, string>>> = {
  "invalid-key": "That is no private key: it has 44 characters, and ends with =. Copy it again, whole.",
  unsupported: "This key was made here, so nobody can read it, not even this page. Bring one that you have elsewhere.",
};
