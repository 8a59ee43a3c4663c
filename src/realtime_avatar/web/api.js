// The server's HTTP side. Every failure is a ServerError whose message can be shown.

/** A request that the server refused or never got. */
export class ServerError extends Error {
  /**
   * @param {string} message A sentence for the person.
   * @param {number} status HTTP status; 0 when the server could not be reached.
   * @param {number} retryAfter Seconds after which to try again; 0 when not said.
   */
  constructor(message, status = 0, retryAfter = 0) {
    super(message);
    this.name = "ServerError";
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** Return a message of the server as a sentence: it writes them without capital and stop. */
export function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?…。！？]$/.test(words) ? "" : ".");
}

const OPENING = 20_000; // ms: the server may have an avatar to load
const UNREACHABLE = "The server cannot be reached.";

/** The routes of one server. */
export class Api {
  /** @param {string | URL} base Where the server's page is; its routes stand below it. */
  constructor(base) {
    this.base = new URL(base, document.baseURI);
    if (!this.base.pathname.endsWith("/")) this.base.pathname += "/";
  }

  /** Return the address of a path, also of one that the server wrote itself. */
  url(path) {
    if (path.startsWith("blob:")) return path;
    return new URL(path.startsWith("/") ? path.slice(1) : path, this.base).href;
  }

  /** Return the address of the WebSocket that stands in for WebRTC. */
  get socket() {
    return this.url("api/v1/socket").replace(/^http/, "ws");
  }

  /** Return what the server offers: languages, avatars, voices, ICE servers. */
  options() {
    return this.#json("api/v1/options");
  }

  /**
   * Open a session.
   *
   * @param {object} request The offer and the person's choices.
   * @param {AbortSignal} signal
   * @returns {Promise<{id: string, sdp: string, type: string}>}
   */
  open(request, signal) {
    return this.#json("api/v1/sessions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request),
      signal: AbortSignal.any([signal, AbortSignal.timeout(OPENING)]),
    });
  }

  /** End a session, also while the page is being closed. Says nothing if that fails. */
  async close(id) {
    const path = `api/v1/sessions/${encodeURIComponent(id)}`;
    await fetch(this.url(path), { method: "DELETE", keepalive: true }).catch(() => {});
  }

  /**
   * Return this browser's conversations that the server keeps, the latest first.
   *
   * @param {string} words Those in which they occur; none: all.
   * @param {number} [limit] How many at most.
   */
  async conversations(words, limit = 100) {
    const query = new URLSearchParams({ q: words, limit: String(limit) });
    return (await this.#json(`api/v1/conversations?${query}`)).items;
  }

  /** Return one of them with all its turns. */
  conversation(id) {
    return this.#json(`api/v1/conversations/${encodeURIComponent(id)}`);
  }

  /** Delete one of them for good, also while the page is being closed. */
  async forget(id) {
    const path = `api/v1/conversations/${encodeURIComponent(id)}`;
    await fetch(this.url(path), { method: "DELETE", keepalive: true }).catch(() => {});
  }

  /**
   * Make a portrait into an avatar.
   *
   * @param {Blob} file
   * @param {string} name
   * @param {{person: string, agreed: string}} consent Who is in it and agreed, and when.
   * @returns {Promise<{id: string, name: string, picture: string, width: number, height: number, warnings: string[]}>}
   */
  upload(file, name, { person, agreed }) {
    return this.#json(`api/v1/avatars?${new URLSearchParams({ name, person, agreed })}`, {
      method: "POST",
      headers: { "Content-Type": file.type || "application/octet-stream" },
      body: file,
    });
  }

  /** Withdraw the consent to a portrait; one that is not known any more is no error. */
  async removeAvatar(id) {
    const path = `api/v1/avatars/${encodeURIComponent(id)}`;
    await fetch(this.url(path), { method: "DELETE" }).catch(() => {});
  }

  /** Return the enrolled voices, and how far each is. */
  voices() {
    return this.#json("api/v1/people");
  }

  /**
   * Enrol a voice.
   *
   * @param {{name: string, person: string, words: string, agreed: string, recording: string}}
   *   voice The recording is a file in base64.
   * @returns {Promise<{name: string, remarks: string[]}>}
   */
  addVoice(voice) {
    return this.#json("api/v1/voices", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(voice),
    });
  }

  /** Withdraw the consent to a voice: it is deleted. */
  async removeVoice(name) {
    const path = `api/v1/voices/${encodeURIComponent(name)}`;
    const response = await fetch(this.url(path), { method: "DELETE" }).catch(() => null);
    if (!response?.ok) throw new ServerError(UNREACHABLE);
  }

  /** Return whether the server has what an address of its own names. */
  async has(path) {
    try {
      return (await fetch(this.url(path))).ok;
    } catch {
      throw new ServerError(UNREACHABLE);
    }
  }

  /** Return whether the server answers within some milliseconds. */
  async alive(timeout = 2000) {
    try {
      const options = { cache: "no-store", signal: AbortSignal.timeout(timeout) };
      return (await fetch(this.url("health"), options)).ok;
    } catch {
      return false;
    }
  }

  async #json(path, options) {
    let response;
    try {
      response = await fetch(this.url(path), options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ServerError(UNREACHABLE);
    }
    const body = await response.json().catch(() => null);
    if (response.ok && body) return body;
    const retry = Number(response.headers.get("Retry-After")) || 0;
    const words = body?.error ?? `the server answered ${response.status}`;
    throw new ServerError(sentence(words), response.status, retry);
  }
}
