// One call: a session, the next one when that is lost, over whatever the network lets through.

import { sentence, ServerError } from "./api.js";
import { openSocket } from "./socket.js";
import { Blocked, openPeer } from "./webrtc.js";

const FIRST_WAIT = 500; // ms before the first attempt to reconnect; doubled each time
const LONGEST_WAIT = 3000;
const FULL = 503;
const PATIENCE = 6;
const RESTART = "restart"; // the stage of a problem that ends a session for a while only

/**
 * A call to one server.
 *
 * Events: `change` (state, reason or session is another), `message` (detail: an event of
 * the server).
 */
export class Call extends EventTarget {
  /** @type {"off" | "connecting" | "live" | "reconnecting" | "failed"} */
  state = "off";
  /** Why it failed, a sentence for the person. */
  reason = "";
  /** The session that is live, or null. */
  session = null;
  /** Whether the network blocks UDP, so that the WebSocket stands in. */
  blocked = false;
  #api;
  #track = null;
  #abort = null;
  #patience = 0; // how often a full server is asked again: the place that was left is freed soon

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.#api = api;
  }

  /**
   * Call, and keep calling when a session that was live is lost.
   *
   * @param {() => Promise<object>} request The person's choices and the history, asked for each time.
   * @param {{context: AudioContext, servers: RTCIceServer[]}} options
   */
  start(request, options) {
    this.#hangUp();
    this.#abort = new AbortController();
    this.#run(request, options, this.#abort.signal);
  }

  /** Hang up. */
  end() {
    this.#hangUp();
    this.#set("off");
  }

  /** Send a command; without a session it is dropped. */
  send(command) {
    this.session?.send(command);
  }

  /** Use another microphone, or none, in this and the next sessions. */
  async setTrack(track) {
    this.#track = track;
    await this.session?.setTrack(track);
  }

  async #run(request, options, signal) {
    let attempts = 0;
    let wasLive = false;
    let reason = "";
    this.#set("connecting");
    for (;;) {
      try {
        const session = await this.#open(await request(), { ...options, track: this.#track, signal });
        if (signal.aborted) {
          session.close();
          return;
        }
        wasLive = true;
        attempts = 0;
        reason = await this.#live(session);
        if (signal.aborted) return;
        this.#drop();
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === FULL && this.#patience > 0) {
          this.#patience -= 1;
          await pause(FIRST_WAIT);
          continue;
        }
        if (!(error instanceof ServerError)) console.error("realtime-avatar:", error);
        if (!wasLive || !passing(error)) {
          this.#set("failed", error instanceof ServerError ? error.message : "The call failed.");
          return;
        }
        attempts += 1;
        if (error.retryAfter) await pause(error.retryAfter * 1000);
      }
      this.#set("reconnecting", `${reason} Reconnecting…`);
      await pause(Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempts));
      if (signal.aborted) return;
    }
  }

  async #open(request, options) {
    if (!this.blocked && globalThis.RTCPeerConnection) {
      try {
        return await openPeer(this.#api, request, options);
      } catch (error) {
        if (!(error instanceof Blocked)) throw error;
        this.blocked = true;
        this.#patience = PATIENCE;
      }
    }
    return openSocket(this.#api, request, options);
  }

  // Resolves when the session is lost, with the reason.
  #live(session) {
    this.session = session;
    return new Promise((resolve) => {
      session.addEventListener("lost", () => resolve("The connection was lost."));
      session.addEventListener("message", ({ detail }) => {
        if (detail.type !== "problem" || !detail.fatal) {
          this.dispatchEvent(new CustomEvent("message", { detail }));
        } else if (detail.stage === RESTART) {
          resolve(sentence(detail.message));
        } else {
          this.#hangUp();
          this.#set("failed", sentence(detail.message));
        }
      });
      this.#set("live");
    });
  }

  #hangUp() {
    this.#abort?.abort();
    this.#abort = null;
    this.#drop();
  }

  #drop() {
    if (!this.session) return;
    this.session.close();
    this.session = null;
    this.#patience = PATIENCE;
  }

  #set(state, reason = "") {
    if (state === this.state && reason === this.reason) return;
    this.state = state;
    this.reason = reason;
    this.dispatchEvent(new Event("change"));
  }
}

// Whether it may work a little later: the server is away, full or failing.
function passing(error) {
  return error instanceof ServerError && (error.status === 0 || error.status >= 500);
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
