/** The page: who meets whom, the relay between them, and everything that passes, shown as it happens. */

import { electRole, isWiceError, type PublicKey } from "@wice/core";
import { openKeyStore } from "@wice/web";
import { createCalm } from "./calm-verdict.ts";
import { createEnvelopeLog } from "./envelope-log.ts";
import { measureForever } from "./measuring.ts";
import { inThisPage } from "./page-verdict.ts";
import { takePlace } from "./place.ts";
import { measureThroughput } from "./session/throughput.ts";
import { createSide, type Side } from "./side.ts";
import { takeHome } from "./take-home.ts";
import { createCodeView } from "./view/code-view.ts";
import { createConnectionView } from "./view/connection-view.ts";
import { createEnvelopesView } from "./view/envelopes-view.ts";
import { createGuestView } from "./view/guest-view.ts";
import { showKeys, showNews } from "./view/keys-view.ts";
import { showNotice } from "./view/notice-view.ts";
import { createPeerView, type PeerView } from "./view/peer-view.ts";
import { createRelayForm } from "./view/relay-form.ts";
import { createRelayView } from "./view/relay-view.ts";
import { showRoles } from "./view/roles-view.ts";
import { byId, element } from "./view/slots.ts";
import { createTimelineView } from "./view/timeline-view.ts";
import { names, showWay, showWays } from "./view/way-view.ts";
import { createWeatherView } from "./view/weather-view.ts";
import { chooseWay, elsewhere, invitation, type Refusal, readInvitation } from "./way.ts";
import { clearWeather, type Weather } from "./weather.ts";

const places = ["alice", "bob"] as const;

async function main(): Promise<void> {
  const page = new URL(location.href);
  // A link that is pasted into the tab of this page differs in nothing else, and browsers load nothing for that.
  addEventListener("hashchange", () => location.reload());
  const choice = chooseWay(page, "served" in document.documentElement.dataset);
  showWays(page, choice.way);
  if ("refusal" in choice) return refuse(page, choice);
  const { way, relay } = choice;
  showWay(choice);
  byId("relay-other").append(createRelayForm(page));
  showNews();

  const [store, place] = await Promise.all([openKeyStore({ name: "wice playground" }), takePlace()]);
  if (store.warning !== undefined) showWarning(store.warning);
  const own = way === "page" ? names.page : [way];
  const keyNames = own.map((name) => (place === 1 ? name : `${name} ${place}`));
  const privateKeys = await Promise.all(keyNames.map((name) => store.open(name)));
  showKeys(store, names[way][0], keyNames);

  const [here, there] = names[way];
  const weather: Weather = { ...clearWeather };
  const relayView = createRelayView(relay, own, () => weather.cut);
  const nameOf = (key: PublicKey): string | undefined => {
    const at = privateKeys.findIndex(({ publicKey }) => publicKey.equals(key));
    return at >= 0 ? names[way][at] : first?.other?.equals(key) === true ? there : undefined;
  };
  const envelopesView = createEnvelopesView({
    nameOf,
    onLeft: (key) => privateKeys[0]?.publicKey.equals(key) === true,
    lanes: [way === "page" ? here : "here", relay.serverless ? "browser" : "relay", way === "page" ? there : "there"],
  });
  const envelopes = createEnvelopeLog(
    (key) => privateKeys.find(({ publicKey }) => publicKey.equals(key)),
    envelopesView,
  );

  let first: Side | undefined;
  let shownOther = "";
  const code = createCodeView();
  const call = (): void => {
    const key = first?.other ?? sides[1]?.key;
    if (key !== undefined) first?.connect(key);
  };
  const callLink = (text: string): void => {
    const called = readInvitation(text, page, relay);
    if (first?.key.equals(called) === true)
      throw new Error("That is the key of this page itself. Open the link at the other side.");
    first?.connect(called);
  };
  const connection = createConnectionView({
    connect: call,
    close: () => first?.close(),
    restart: () => first?.session?.restart(),
    measure: async () => {
      if (first?.session === undefined) throw new Error("there is no session");
      return await measureThroughput(first.session);
    },
  });

  const showOther = (): void => {
    const other = first?.other ?? sides[1]?.key;
    if (first === undefined || `${other}` === shownOther) return;
    shownOther = `${other}`;
    code.show(takeHome(relay, other));
    if (other === undefined) return;
    for (const [i, view] of views.entries())
      view.showRole(i === 0 ? electRole(first.key, other) : electRole(other, first.key));
    guest?.showGuest(other, electRole(other, first.key));
    envelopesView.renamed();
    showRoles([
      { name: here, side: "alice", key: first.key },
      { name: there, side: "bob", key: other },
    ]);
  };
  const [calm, showTimeline] = [createCalm(), createTimelineView()];
  const onChange = (): void => {
    if (first === undefined) return;
    showOther();
    // Both live here, and the one calls the other as soon as that can hear it.
    if (way === "page" && first.other === undefined) return;
    const { session, isCalling, other } = first;
    const verdict = inThisPage(calm(first.verdict()), { weather, isGuest: choice.invitedBy !== undefined });
    connection.showVerdict(verdict, session, { isCalling, isKnown: other !== undefined });
    if (first.tookMs !== undefined) connection.showTook(first.tookMs);
    showTimeline(first.timeline());
  };

  const views = privateKeys.map((_, i) => {
    const [name, other] = i === 0 ? [here, there] : [there, here];
    return createPeerView({ place: places[i] as "alice" | "bob", name, other });
  });
  const guest =
    way === "page" ? undefined : createGuestView({ way, name: there, elsewhere: elsewhere(page), call: callLink });
  const accept = (key: PublicKey): boolean =>
    way === "page" ? privateKeys.some(({ publicKey }) => publicKey.equals(key)) : choice.invitedBy === undefined;
  const sides: Side[] = [];
  for (const [i, privateKey] of privateKeys.entries()) {
    const otherName = i === 0 ? there : here;
    const view = { ...(views[i] as PeerView), ...(guest && { showRemote: guest.showRemote }) };
    const side = createSide({
      ...{ name: own[i] as string, otherName, privateKey, relay, weather, observer: envelopes, view, relayView },
      ...{ nameOf, accept, onChange },
    });
    sides.push(side);
  }
  first = sides[0] as Side;
  const [, second] = sides;
  createWeatherView(weather, {
    carrier: relay.serverless ? "channel" : "relay",
    cut() {
      for (const side of sides) side.cut();
    },
    crash: second && (() => second.crash()),
  });

  if (guest !== undefined) {
    const reachable = !["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
    guest.showInvitation(invitation(page, way, relay, first.key), { reachable, served: relay.own });
  }
  const called = choice.invitedBy ?? second?.key;
  if (called?.equals(first.key) === true) {
    showNotice("warning", "This link calls this page itself. Open it in another tab, or on another device.");
  } else if (called !== undefined) {
    // Whoever is not subscribed yet is called in vain, and then again a little later.
    await second?.ready;
    first.connect(called);
  }
  onChange();
  measureForever(first, connection, onChange);
}

/** All that is left of the page is why, and what helps. */
function refuse(page: URL, { way, refusal, missing }: Refusal): void {
  for (const part of document.querySelectorAll<HTMLElement>("#playground > :not(#notices)")) part.hidden = true;
  const anew = element("a", "small", "Begin without it");
  anew.href = `./?way=${way}`;
  showNotice("error", refusal, missing === "relay" ? createRelayForm(page) : anew);
}

function showWarning(warning: string): void {
  const sentence = `${warning.slice(0, 1).toUpperCase()}${warning.slice(1)}.`;
  const remedy = " To serve this page over https: `npm start -- --https`";
  showNotice("warning", isSecureContext ? sentence : sentence + remedy);
}

main().catch((error: unknown) => {
  console.error(error);
  showNotice(
    "error",
    isWiceError(error)
      ? `This page cannot go on: ${error.message}. Load it again.`
      : "This page cannot go on, by a defect of its own. Load it again; when that does not help, please report it.",
  );
});
