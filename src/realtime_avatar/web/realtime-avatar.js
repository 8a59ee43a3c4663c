// <realtime-avatar src="https://server/">: an avatar that listens and answers.
//
// Attributes: `src`, where the server's page is (by default where this module came from);
// `avatar`, `voice`, `language`, what to begin with; `shortcuts="page"`, whether keys work
// wherever the focus is. Events: `statechange`, and `message` with each event of the server.

import { Api, sentence } from "./api.js";
import { Archive } from "./archive.js";
import { Call } from "./call.js";
import { check } from "./check.js";
import { Dock } from "./dock.js";
import { base64, Enrol } from "./enrol.js";
import { Keys } from "./keys.js";
import { LatencyPanel } from "./latency.js";
import { Microphone, MicrophoneError } from "./microphone.js";
import { Notices } from "./notices.js";
import { Panels } from "./panels.js";
import { People } from "./people.js";
import { Portraits } from "./portraits.js";
import { loadPreferences, savePreferences } from "./preferences.js";
import { Record } from "./record.js";
import { Settings } from "./settings.js";
import { Shelf } from "./shelf.js";
import { Stage } from "./stage.js";
import { styles } from "./style.js";
import { TEMPLATE } from "./template.js";
import { acceptPortraits } from "./upload.js";

const DOING = {
  connecting: "Connecting…",
  reconnecting: "Reconnecting…",
  loading: "Getting ready…",
  idle: "Ready",
  listening: "Listening",
  thinking: "Thinking…",
  speaking: "Speaking",
};

/** The custom element. */
export class RealtimeAvatar extends HTMLElement {
  #root = this.attachShadow({ mode: "open" });
  #preferences = loadPreferences();
  #microphone = new Microphone();
  #context = null;
  #options = { name: "", languages: [], avatars: [], voices: [], ice_servers: [] };
  #api;
  #archive;
  #call;
  #dock;
  #enrol;
  #keys;
  #latency;
  #notices;
  #panels;
  #people;
  #portraits;
  #record;
  #settings;
  #shelf;
  #stage;
  #doing = "idle"; // as the session said
  #session = null;
  #listen = ""; // as the session was told
  #leaving = null;

  connectedCallback() {
    this.#api = new Api(this.getAttribute("src") ?? new URL("../", import.meta.url));
    this.#root.adoptedStyleSheets = styles;
    this.#root.innerHTML = TEMPLATE;
    for (const name of ["avatar", "voice", "language"]) {
      if (this.hasAttribute(name)) this.#preferences[name] = this.getAttribute(name);
    }
    this.#build();
    this.#dock.talking.mode = this.#preferences.talk;
    this.#applyPreferences();
    this.#callChanged();
    this.#load();
  }

  disconnectedCallback() {
    this.end();
    this.#shelf?.close();
    this.#keys.close();
    this.#leaving.abort();
  }

  /** Whether a call is on, as one word: off, connecting, live, reconnecting, failed. */
  get state() {
    return this.#call?.state ?? "off";
  }

  /** What the avatar does: loading, idle, listening, thinking, speaking. */
  get doing() {
    return this.#doing;
  }

  /** The element that shows the live picture, a video or a canvas; null without a call. */
  get picture() {
    return this.#stage?.element ?? null;
  }

  /** The WebRTC connection of the live session, for those who measure it, or null. */
  get connection() {
    return this.#session?.connection ?? null;
  }

  /**
   * Begin a call. Browsers want this to come from a click or a key.
   *
   * @param {{microphone?: boolean}} [options] Without a microphone the person types.
   */
  async start({ microphone = true } = {}) {
    if (!["off", "failed"].includes(this.dataset.call)) return;
    this.#notices.clear();
    this.#context ??= new AudioContext({ sampleRate: 48_000, latencyHint: "interactive" });
    this.#context.resume();
    this.#setCall("connecting");
    this.#showCall();
    if (!this.#options.avatars.length) await this.#load();
    if (microphone) await this.#openMicrophone();
    else this.#dock.showTyping(true);
    if (this.dataset.call === "connecting") this.#connect();
    else this.#closeMicrophone(); // it was ended while the browser asked
  }

  /** End the call and give the microphone back. */
  end() {
    this.#setCall("off");
    this.#call.end();
    this.#closeMicrophone();
    this.#showCall();
  }

  /** Send a typed turn. Returns whether there is somebody to send it to. */
  say(text) {
    const words = text.trim();
    if (!words || !this.#session) return false;
    this.#record.conversation.type(words);
    this.#call.send({ type: "say", text: words });
    return true;
  }

  /** Silence the avatar. */
  stop() {
    this.#call.send({ type: "stop" });
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  #build() {
    this.#stage = new Stage(this.#root);
    this.#latency = new LatencyPanel(this.#find(".latency"));
    this.#notices = new Notices(this.#find(".notices"), this.#find(".status"));
    this.#call = new Call(this.#api);
    this.#call.addEventListener("change", () => this.#callChanged());
    this.#call.addEventListener("message", ({ detail }) => this.#take(detail));
    this.#dock = new Dock(this.#root, this.#microphone, {
      changed: () => this.#showDoing(),
      ask: () => this.#openMicrophone(),
      say: (text) => this.say(text),
      stop: () => this.stop(),
    });
    this.#record = new Record(this.#root, {
      changed: () => this.#latency.open && this.#latency.turns(this.#record.conversation),
      began: () => {
        if (this.#session) this.#record.conversation.nextSession();
        this.#call.send({ type: "restart" });
      },
      opened: () => this.#again(),
      told: (words, options) => this.#notices.show(words, options),
    });
    this.#settings = new Settings(this.#find("#settings form"), {
      url: (path) => this.#api.url(path),
      changed: (name, value) => this.#choose(name, value),
      forget: (id) => this.#forget(id),
      check: () => check(this.#api, { call: this.#call, servers: this.#options.ice_servers }),
    });
    this.#enrol = new Enrol(this.#root);
    this.#people = new People(this.#find(".people"), this.#api, () => this.#load());
    this.#find(".add-voice").onclick = () => this.#addVoice();
    this.#panels = new Panels(this.#root, (name) => {
      if (name === "transcript") this.#record.open();
      if (name === "settings") this.#people.show().catch(() => {});
    });
    this.#keys = new Keys(this.getAttribute("shortcuts") === "page" ? document : this, {
      escape: () => this.#panels.close() || this.stop(),
      latency: () => this.#toggleLatency(),
      talk: (held) => Boolean(this.#session) && this.#dock.space(held),
    });
    this.#find(".start").onclick = () => this.start();
    this.#find(".start-typing").onclick = () => this.start({ microphone: false });
    this.#find(".end").onclick = () => this.end();
    this.#find(".close-latency").onclick = () => this.#toggleLatency();
    this.#find(".show-latency").onclick = () => {
      this.#panels.close();
      if (!this.#latency.open) this.#toggleLatency();
    };
    acceptPortraits(this.#root, (file) => this.#bring(file));
    this.#leaving = new AbortController();
    const leave = () => {
      this.end();
      this.#shelf?.close();
    };
    addEventListener("pagehide", leave, { signal: this.#leaving.signal });
  }

  // The call.

  #connect() {
    const request = async () => {
      this.#record.conversation.nextSession();
      const { voice, language } = this.#preferences;
      const avatar = this.#avatar && (await this.#portraits.known(this.#avatar)).id;
      const { kept: conversation } = this.#record.conversation;
      const wishes = { avatar, voice, language, conversation };
      const chosen = Object.entries(wishes).filter(([, value]) => value);
      return { ...Object.fromEntries(chosen), history: this.#record.conversation.history() };
    };
    this.#call.start(request, { context: this.#context, servers: this.#options.ice_servers });
  }

  // The session cannot take this choice while it runs: go on in another one.
  #again() {
    if (this.#session) this.#connect();
  }

  #callChanged() {
    const { state, reason, session } = this.#call;
    const before = this.dataset.call;
    this.#setCall(state);
    this.dataset.transport = session?.kind ?? "";
    if (state !== "live") this.#doing = "idle";
    if (session !== this.#session) {
      this.#session = session;
      this.#listen = "";
      if (session) this.#live(before);
      else this.#stage.rest();
    }
    if (state === "reconnecting") this.#notices.show(reason, { lasting: true });
    if (state === "failed") {
      this.#notices.show(reason, { lasting: true, action: "Try again", act: () => this.start() });
      this.#closeMicrophone();
    }
    this.#showCall();
    this.dispatchEvent(new Event("statechange"));
  }

  #setCall(state) {
    this.dataset.call = state;
    this.#dock.waiting = ["connecting", "reconnecting"].includes(state) ? "One moment…" : "";
  }

  async #live(before) {
    if (before === "reconnecting") this.#notices.show("Connected again.");
    else if (this.#call.blocked) {
      this.#notices.show("This network blocks the fast connection; the slower one is used.");
    }
    this.#session.sound = this.#preferences.sound;
    this.#notices.say(`Connected. ${this.#dock.hint}`);
    const play = async () => {
      try {
        await this.#stage.live(this.#session);
      } catch (error) {
        if (error.name !== "NotAllowedError") return; // the session ended meanwhile
        this.#notices.show("The browser keeps the sound off.", {
          lasting: true,
          action: "Turn it on",
          act: play,
        });
      }
    };
    await play();
  }

  #take(event) {
    const name = this.#name;
    if (event.type === "state") {
      this.#doing = event.state;
      this.#showDoing();
    }
    if (event.type === "problem") this.#notices.show(sentence(event.message));
    this.#record.conversation.apply(event);
    if (event.type === "heard" && event.final && event.text) this.#record.log("You", event.text);
    if (event.type === "finished" && !this.#preferences.sound) this.#record.log(name, event.heard);
    this.dispatchEvent(new CustomEvent("message", { detail: event }));
  }

  async #openMicrophone() {
    try {
      const lost = () => {
        this.#closeMicrophone();
        this.#notices.show("The microphone was taken away.", { lasting: true });
      };
      await this.#call.setTrack(await this.#microphone.open(this.#context, lost));
      this.#dock.talking.available = true;
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      const act = () => this.#openMicrophone();
      this.#notices.show(error.message, { lasting: true, action: "Try again", act });
      this.#dock.showTyping(true);
    }
  }

  #closeMicrophone() {
    this.#microphone.close();
    this.#dock.talking.available = false;
    this.#call.setTrack(null);
  }

  // Choices.

  async #load(avatar = this.#preferences.avatar) {
    const offered = this.#api.options();
    offered.catch(() => {}); // told below
    this.#archive ??= await Archive.open();
    this.#shelf ??= new Shelf(this.#api, this.#archive);
    this.#record.shelf = this.#shelf;
    this.#portraits ??= new Portraits(this.#api, this.#archive);
    try {
      const options = await offered;
      this.#options = { ...options, avatars: [...options.avatars, ...(await this.#portraits.list())] };
      if (options.keeps_conversations) await this.#shelf.look();
      this.#record.shelf = this.#shelf;
    } catch (error) {
      const act = () => this.#load();
      this.#notices.show(error.message, { lasting: true, action: "Try again", act });
      return;
    }
    const known = (list, id) => (list.some((item) => (item.id ?? item.code) === id) ? id : "");
    const { avatars, voices, languages } = this.#options;
    this.#preferences.avatar = known(avatars, avatar) || (avatars[0]?.id ?? "");
    this.#preferences.voice = known(voices, this.#preferences.voice);
    this.#preferences.language = known(languages, this.#preferences.language);
    this.#settings.show(this.#options, this.#preferences);
    await this.#showAvatar();
  }

  get #avatar() {
    return this.#options.avatars.find(({ id }) => id === this.#preferences.avatar);
  }

  get #name() {
    return this.#avatar?.name || this.#options.name || "The avatar";
  }

  #choose(name, value) {
    this.#preferences[name] = value;
    savePreferences(this.#preferences);
    this.#applyPreferences();
    if (name === "talk") this.#dock.talking.mode = value;
    if (name === "avatar") this.#showAvatar();
    if (name === "language") {
      this.#settings.show(this.#options, this.#preferences);
      this.#call.send({ type: "language", language: value });
    }
    if (name === "avatar" || name === "voice") this.#again();
  }

  #applyPreferences() {
    const { theme, sound, shortcuts } = this.#preferences;
    this.dataset.theme = theme;
    if (this.#session) this.#session.sound = sound;
    this.#keys.letters = shortcuts;
    this.#settings.choose(this.#preferences);
  }

  async #bring(file) {
    if (!this.#options.consent) await this.#load();
    try {
      const brought = await this.#enrol.ask("portrait", this.#options.consent?.portrait, (consent) =>
        this.#portraits.add(file, consent),
      );
      if (!brought) return;
      const { avatar, warnings } = brought;
      await this.#load(avatar.id);
      savePreferences(this.#preferences);
      this.#notices.show([`${avatar.name} is ready.`, ...warnings.map(sentence)].join(" "));
      this.#again();
    } catch (error) {
      this.#notices.show(error.message, { lasting: true });
    }
  }

  async #addVoice() {
    const made = await this.#enrol.ask("voice", this.#options.consent?.voice, async (answer) => {
      const { file, ...voice } = answer;
      return this.#api.addVoice({ ...voice, recording: await base64(file) });
    });
    if (!made) return;
    await this.#load();
    this.#choose("voice", made.name);
    this.#people.show().catch(() => {});
    this.#notices.show([`The voice “${made.name}” is ready.`, ...made.remarks].join(" "));
  }

  async #forget(id) {
    await this.#portraits.remove(id);
    const chosen = this.#preferences.avatar;
    await this.#load();
    savePreferences(this.#preferences);
    this.#find("#settings").focus();
    if (chosen === id) this.#again();
  }

  // What is seen.

  async #showAvatar() {
    const name = this.#name;
    this.#find(".app").setAttribute("aria-label", `Talk with ${name}`);
    this.#find(".name").textContent = name;
    this.#find(".welcome h2").textContent = `Talk with ${name}`;
    this.#record.name = name;
    this.#dock.name = name;
    if (!this.#avatar) return;
    try {
      const known = await this.#portraits.known(this.#avatar);
      await this.#stage.still(known, this.#api.url(known.picture));
    } catch (error) {
      this.#notices.show(error.message, { lasting: true });
    }
  }

  #showCall() {
    const on = !["off", "failed"].includes(this.dataset.call);
    const focus = this.#root.activeElement;
    this.#find(".welcome").hidden = on;
    this.#find(".talk").hidden = !on;
    this.#find(".end").hidden = !on;
    if (on && focus?.closest(".welcome, .notice")) this.#dock.focus();
    if (!on && focus?.matches(".end")) this.#find(".start").focus();
    this.#showDoing();
  }

  #showDoing() {
    const { listen } = this.#dock.talking;
    if (this.#session && this.#listen !== listen) {
      this.#listen = listen;
      if (listen === "talk" && this.#doing === "speaking") this.stop();
      this.#call.send({ type: "listen", mode: listen });
    }
    const { call } = this.dataset;
    const heard = this.#doing === "idle" && listen !== "never" ? "listening" : this.#doing;
    this.dataset.doing = call === "live" ? heard : "";
    this.#find(".doing").textContent = DOING[call === "live" ? heard : call] ?? "";
    this.#dock.stoppable = ["thinking", "speaking"].includes(this.#doing);
  }

  #toggleLatency() {
    this.#latency.toggle(() => this.#record.conversation, () => this.#session);
  }
}

customElements.define("realtime-avatar", RealtimeAvatar);
