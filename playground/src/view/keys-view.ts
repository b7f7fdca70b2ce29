/** Where the private keys are, and how to have others: new ones, or one that is brought along. */

import { isWiceError } from "@wice/core";
import type { KeyStore } from "@wice/web";
import { showNotice } from "./notice-view.ts";
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
  const trouble = slot(root, "trouble");
  /** Resolves with whether it worked. */
  const attempt = async (run: () => Promise<void>): Promise<boolean> => {
    trouble.hidden = true;
    try {
      await run();
      return true;
    } catch (error) {
      if (!isWiceError(error)) throw error;
      trouble.textContent = failures[error.code] ?? `That did not work: ${error.message}. Load the page again.`;
      trouble.hidden = false;
      return false;
    }
  };
  const question = slot(root, "question");
  renew.addEventListener("click", () => {
    if (question.hidden) {
      question.hidden = false;
      question.textContent =
        "The keys of this tab are lost then, also one that was brought, and links to them lead nowhere. Press again to go on.";
      renew.textContent = "Yes, make new keys";
      return;
    }
    void attempt(async () => {
      await Promise.all(keyNames.map((name) => store.delete(name)));
      begin("This tab has new keys.");
    });
  });
  renew.addEventListener("blur", () => {
    question.hidden = true;
    renew.textContent = "Make new keys";
  });
  const [name] = keyNames;
  if (!kept || name === undefined) return;

  slot(root, "own").hidden = false;
  slot(root, "label").textContent = `Private key of ${owner}`;
  const input = slot(root, "input", HTMLInputElement);
  slot(root, "form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const isTaken = await attempt(async () => {
      await replaceKey(store, name, input.value.trim());
      begin(`Now ${owner} has the key that was brought.`);
    });
    if (!isTaken) input.focus();
  });
  slot(root, "show").addEventListener("click", () => {
    void attempt(async () => {
      input.value = await store.exportText(name);
      input.classList.remove("secret");
      input.select();
    });
  });
  // Whoever folds it up wants it seen no more.
  slot(root, "own", HTMLDetailsElement).addEventListener("toggle", () => {
    input.value = "";
    input.classList.add("secret");
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
}

const newsItem = "wice playground news";

/** Loads the page anew, which then says why. */
function begin(news: string): void {
  try {
    sessionStorage.setItem(newsItem, news);
  } catch {
    // Where nothing may be stored it is not said.
  }
  scrollTo(0, 0);
  location.reload();
}

/** What has just happened to the keys. */
export function showNews(): void {
  try {
    const news = sessionStorage.getItem(newsItem);
    if (news !== null) showNotice("news", news);
    sessionStorage.removeItem(newsItem);
  } catch {
    // Nothing was stored.
  }
}

const failures: Readonly<Partial<Record<string, string>>> = {
  "invalid-key": "That is no private key. One has 44 characters, the last of them =; copy it again, whole.",
  unsupported: "This key was made here, so nobody can read it, not even this page. Bring one that you have elsewhere.",
};
