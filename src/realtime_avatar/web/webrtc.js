// A session over WebRTC: both tracks in one stream, events over a data channel.

const GATHER = 1000; // ms to wait for the last ICE candidate
const CONNECT = 5000; // ms after which UDP counts as blocked
const CLOSE = 1000; // ms that a farewell may take
const LOOK = 1000; // ms between two looks at the counters
const SILENT = 4; // looks without a packet, after which the session counts as lost

/** No connection came about although the server answered: UDP is blocked. */
export class Blocked extends Error {}

/**
 * Open a session over WebRTC.
 *
 * @param {import("./api.js").Api} api
 * @param {object} request The person's choices: avatar, language, voice, history.
 * @param {{track: MediaStreamTrack | null, servers: RTCIceServer[], signal: AbortSignal}} options
 * @returns {Promise<Peer>}
 * @throws {Blocked} when ICE does not connect in time; the session is ended then.
 * @throws {import("./api.js").ServerError}
 */
export async function openPeer(api, request, { track, servers, signal }) {
  const connection = new RTCPeerConnection({ iceServers: servers, bundlePolicy: "max-bundle" });
  const channel = connection.createDataChannel("events", { ordered: true });
  const peer = new Peer(api, connection, channel);
  try {
    const audio = connection.addTransceiver(track ?? "audio", { direction: "sendrecv" });
    connection.addTransceiver("video", { direction: "recvonly" });
    peer.sender = audio.sender;
    await connection.setLocalDescription();
    await gathered(connection);
    const { sdp, type } = connection.localDescription;
    const answer = await api.open({ ...request, sdp, type }, signal);
    peer.id = answer.id;
    signal.throwIfAborted();
    await connection.setRemoteDescription({ sdp: answer.sdp, type: answer.type });
    await opened(channel, connection, signal);
  } catch (error) {
    await peer.close();
    throw error;
  }
  peer.watch();
  return peer;
}

/**
 * A session over WebRTC. Events: `message` (detail: the event), `lost`.
 */
class Peer extends EventTarget {
  kind = "webrtc";
  stream = new MediaStream();
  canvas = null;
  id = "";
  sender = null;
  #api;
  #channel;
  #timer = 0;
  #early = [];
  #looked = [0, 0]; // delay and count of the last look

  constructor(api, connection, channel) {
    super();
    this.#api = api;
    this.connection = connection;
    this.#channel = channel;
    connection.ontrack = ({ track, receiver }) => {
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      this.stream.addTrack(track);
    };
    channel.onmessage = ({ data }) => this.#early.push(data);
  }

  /** Begin to give out messages and to notice when the session is gone. */
  watch() {
    const give = (data) => this.dispatchEvent(new CustomEvent("message", { detail: JSON.parse(data) }));
    this.#channel.onmessage = ({ data }) => give(data);
    this.#channel.onclose = () => this.#lose();
    this.connection.onconnectionstatechange = () => {
      if (this.connection.connectionState === "failed") this.#lose();
    };
    // Those that came with the opening, once the caller listens.
    queueMicrotask(() => this.#early.splice(0).forEach(give));
    this.#listenForSilence();
  }

  /** Send a command; when the channel is going down it is dropped. */
  send(command) {
    if (this.#channel.readyState === "open") this.#channel.send(JSON.stringify(command));
  }

  /** Whether the avatar's voice is heard. */
  set sound(on) {
    for (const track of this.stream.getAudioTracks()) track.enabled = on;
  }

  /** Send another microphone, or none. */
  async setTrack(track) {
    await this.sender.replaceTrack(track);
  }

  /** Return figures of the connection as it is now. */
  async stats() {
    const report = [...(await this.connection.getStats()).values()];
    const video = report.find((entry) => entry.type === "inbound-rtp" && entry.kind === "video");
    const audio = report.find((entry) => entry.type === "inbound-rtp" && entry.kind === "audio");
    const pair = report.find((entry) => entry.type === "candidate-pair" && entry.nominated);
    const remote = report.find((entry) => entry.id === pair?.remoteCandidateId);
    const codec = report.find((entry) => entry.id === video?.codecId);
    return {
      transport: `WebRTC, ${remote?.protocol ?? "udp"}${remote?.candidateType === "relay" ? ", relayed" : ""}`,
      codec: codec?.mimeType?.replace("video/", "") ?? "",
      size: video?.frameWidth ? `${video.frameWidth} × ${video.frameHeight}` : "",
      fps: video?.framesPerSecond ?? 0,
      freezes: video?.freezeCount ?? 0,
      roundTrip: pair?.currentRoundTripTime ?? 0,
      buffer: this.#buffered(audio),
    };
  }

  // Seconds that sound waited since the last look; the report counts from the beginning.
  #buffered(audio) {
    const { jitterBufferDelay: delay = 0, jitterBufferEmittedCount: count = 0 } = audio ?? {};
    const [delayBefore, countBefore] = this.#looked;
    this.#looked = [delay, count];
    return count > countBefore ? (delay - delayBefore) / (count - countBefore) : 0;
  }

  /** End the session, here and on the server. */
  async close() {
    clearInterval(this.#timer);
    this.#channel.onclose = this.#channel.onmessage = this.connection.onconnectionstatechange = null;
    this.connection.close();
    if (this.id) await Promise.race([this.#api.close(this.id), pause(CLOSE)]);
  }

  // A killed server says no goodbye, and ICE takes half a minute to notice. But the avatar
  // is never without sound, be it silence: when packets stop coming, it is gone.
  #listenForSilence() {
    let last = -1;
    let silent = 0;
    this.#timer = setInterval(async () => {
      const report = await this.connection.getStats();
      let packets = 0;
      report.forEach((entry) => {
        if (entry.type === "inbound-rtp" && entry.kind === "audio") packets = entry.packetsReceived;
      });
      silent = packets === last ? silent + 1 : 0;
      last = packets;
      if (silent >= SILENT || (silent >= 2 && !(await this.#api.alive()))) this.#lose();
    }, LOOK);
  }

  #lose() {
    if (!this.#timer) return; // it is known already
    this.#timer = clearInterval(this.#timer);
    this.#channel.onclose = this.connection.onconnectionstatechange = null;
    this.dispatchEvent(new Event("lost"));
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function gathered(connection) {
  if (connection.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER);
    connection.addEventListener("icegatheringstatechange", () => {
      if (connection.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}

function opened(channel, connection, signal) {
  if (channel.readyState === "open") return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Blocked()), CONNECT);
    const settle = (how, value) => {
      clearTimeout(timer);
      how(value);
    };
    channel.addEventListener("open", () => settle(resolve), { once: true });
    connection.addEventListener("connectionstatechange", () => {
      if (connection.connectionState === "failed") settle(reject, new Blocked());
    });
    signal.addEventListener("abort", () => settle(reject, signal.reason), { once: true });
  });
}
