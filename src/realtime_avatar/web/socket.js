// A session over one WebSocket, for networks that block UDP: the same events as JSON text,
// sound and pictures as binary frames for WebCodecs.

import { openCapture } from "./capture.js";
import { Playback } from "./playback.js";
import { sentence, ServerError } from "./api.js";

const OPUS = 1;
const VIDEO = 2;
const HEADER = 10; // bytes: kind, flags, timestamp (uint64, little-endian, microseconds)
const KEY = 1; // flag of a key frame
const OPENING = 20_000; // ms: the server may have an avatar to load
const SILENT = 4000; // ms without a frame, after which the session counts as lost
const FULL = 64 * 1024; // bytes waiting to be sent, above which the microphone is dropped

/**
 * Open a session over a WebSocket.
 *
 * @param {import("./api.js").Api} api
 * @param {object} request The person's choices: avatar, language, voice, history.
 * @param {{track: MediaStreamTrack | null, context: AudioContext, signal: AbortSignal}} options
 * @returns {Promise<Socket>}
 * @throws {ServerError} also when this browser cannot play what the server sends.
 */
export async function openSocket(api, request, { track, context, signal }) {
  const video = await playable();
  const socket = new WebSocket(api.socket);
  socket.binaryType = "arraybuffer";
  try {
    await event(socket, "open", signal);
    socket.send(JSON.stringify({ ...request, video }));
    const { data } = await event(socket, "message", signal);
    const opened = JSON.parse(data);
    if (opened.type !== "opened") {
      throw new ServerError(sentence(opened.message ?? "the server refused"), 503, opened.retry_after ?? 0);
    }
    const askForKey = () => socket.send(frame(VIDEO, 0, new Uint8Array()));
    const playback = await Playback.open(context, opened, askForKey);
    const session = new Socket(socket, playback, context, opened);
    await session.setTrack(track);
    return session;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/**
 * A session over a WebSocket. Events: `message` (detail: the event), `lost`.
 */
class Socket extends EventTarget {
  kind = "socket";
  stream = null;
  #socket;
  #playback;
  #context;
  #opened;
  #capture = null;
  #timer = 0;
  #last = performance.now();

  constructor(socket, playback, context, opened) {
    super();
    this.#socket = socket;
    this.#playback = playback;
    this.#context = context;
    this.#opened = opened;
    this.id = opened.id;
    this.canvas = playback.canvas;
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = () => this.#lose();
    this.#timer = setInterval(() => {
      if (performance.now() - this.#last > SILENT) this.#lose();
    }, 1000);
  }

  /** Send a command. */
  send(command) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
  }

  /** Whether the avatar's voice is heard. */
  set sound(on) {
    this.#playback.sound = on;
  }

  /** Send another microphone, or none. */
  async setTrack(track) {
    this.#capture?.close();
    this.#capture = track
      ? await openCapture(track, (kind, at, payload) => this.#sendAudio(kind, at, payload))
      : null;
  }

  /** Return figures of the connection as it is now. */
  async stats() {
    const { width, height, video_codec: codec } = this.#opened;
    const { fps, freezes, buffer } = this.#playback.figures();
    return { transport: "WebSocket", codec, size: `${width} × ${height}`, fps, freezes, roundTrip: 0, buffer };
  }

  /** End the session: the server does so when the socket closes. */
  async close() {
    clearInterval(this.#timer);
    this.#socket.onclose = this.#socket.onmessage = null;
    this.#socket.close();
    this.#capture?.close();
    this.#playback.close();
  }

  #take(data) {
    this.#last = performance.now();
    if (typeof data === "string") {
      this.dispatchEvent(new CustomEvent("message", { detail: JSON.parse(data) }));
      return;
    }
    const view = new DataView(data);
    const at = Number(view.getBigUint64(2, true));
    const payload = new Uint8Array(data, HEADER);
    if (view.getUint8(0) === OPUS) this.#playback.hear(at, payload);
    else if (view.getUint8(0) === VIDEO) this.#playback.see(at, payload, Boolean(view.getUint8(1) & KEY));
  }

  #sendAudio(kind, at, payload) {
    if (this.#socket.readyState !== WebSocket.OPEN || this.#socket.bufferedAmount > FULL) return;
    this.#socket.send(frame(kind, at, payload));
  }

  #lose() {
    clearInterval(this.#timer);
    this.#socket.onclose = null;
    this.dispatchEvent(new Event("lost"));
  }
}

function frame(kind, at, payload) {
  const bytes = new Uint8Array(HEADER + payload.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setBigUint64(2, BigInt(Math.round(at)), true);
  bytes.set(payload, HEADER);
  return bytes;
}

async function playable() {
  if (!globalThis.VideoDecoder || !globalThis.AudioDecoder) {
    throw new ServerError(
      "The network blocks the usual connection (UDP), and this browser cannot do without it. Try a current Chrome, Edge or Firefox.",
    );
  }
  const { supported } = await VideoDecoder.isConfigSupported({ codec: "avc1.42E01F" });
  return supported ? "h264" : "vp8";
}

function event(socket, name, signal) {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new ServerError("The server cannot be reached."));
    const timer = setTimeout(fail, OPENING);
    const settle = (how) => (value) => {
      clearTimeout(timer);
      how(value);
    };
    socket.addEventListener(name, settle(resolve), { once: true });
    socket.addEventListener("close", settle(fail), { once: true });
    signal.addEventListener("abort", settle(() => reject(signal.reason)), { once: true });
  });
}
