// What is wrong with a connection, in words.

import { Microphone, MicrophoneError } from "./microphone.js";
import { Blocked, openPeer } from "./webrtc.js";

const RELAY = 4000; // ms for a TURN server to answer

/**
 * @typedef {object} Finding
 * @property {"good" | "fair" | "bad"} verdict
 * @property {string} what What was looked at.
 * @property {string} words What was found, and what to do about it.
 */

/**
 * Look at everything a call needs, one thing after the other.
 *
 * @param {import("./api.js").Api} api
 * @param {{call: import("./call.js").Call, servers: RTCIceServer[]}} options
 * @returns {AsyncGenerator<Finding>}
 */
export async function* check(api, { call, servers }) {
  yield origin();
  yield await microphone();
  const reached = await api.alive(4000);
  yield finding(
    reached ? "good" : "bad",
    "Server",
    reached ? "It answers." : "It cannot be reached. It may be down, or you may be offline.",
  );
  if (!reached) return;
  const udp = await direct(api, call, servers);
  yield udp;
  if (udp.verdict === "good") return;
  yield await relay(servers);
  yield await socket(api);
}

function finding(verdict, what, words) {
  return { verdict, what, words };
}

function origin() {
  return globalThis.isSecureContext
    ? finding("good", "Address", "Secure.")
    : finding(
        "bad",
        "Address",
        "Not secure: browsers lend the microphone only to https:// addresses and to localhost. Open the page under one of those.",
      );
}

async function microphone() {
  const own = new Microphone();
  try {
    const track = await own.open();
    return finding("good", "Microphone", track.label ? `${track.label}.` : "It works.");
  } catch (error) {
    if (!(error instanceof MicrophoneError)) throw error;
    return finding("bad", "Microphone", error.message);
  } finally {
    own.close();
  }
}

async function direct(api, call, servers) {
  const what = "WebRTC (UDP)";
  if (call.session?.kind === "webrtc") return finding("good", what, "Connected.");
  if (!globalThis.RTCPeerConnection) return finding("fair", what, "This browser has none.");
  try {
    const { signal } = new AbortController();
    const peer = await openPeer(api, {}, { track: null, servers, signal });
    await peer.close();
    return finding("good", what, "It gets through.");
  } catch (error) {
    if (!(error instanceof Blocked)) return finding("fair", what, `Not tried: ${error.message}`);
    call.blocked = true; // the next call need not find out again
    return finding(
      "fair",
      what,
      "Blocked between here and the server, by a firewall or a company network. Calls use the WebSocket instead, which answers a little later.",
    );
  }
}

async function relay(servers) {
  const what = "TURN server";
  const turns = servers.some(({ urls }) => [urls].flat().some((url) => /^turns?:/.test(url)));
  if (!turns) {
    return finding(
      "fair",
      what,
      "None is set up. With one, calls get through most firewalls; the server's owner can name it in the settings.",
    );
  }
  const connection = new RTCPeerConnection({ iceServers: servers, iceTransportPolicy: "relay" });
  try {
    connection.createDataChannel("check");
    const found = new Promise((resolve) => {
      connection.onicecandidate = ({ candidate }) => candidate?.candidate && resolve(true);
      setTimeout(resolve, RELAY, false);
    });
    await connection.setLocalDescription();
    return (await found)
      ? finding("good", what, "It answers.")
      : finding("bad", what, "It is set up but does not answer: wrong address, name or password, or blocked too.");
  } finally {
    connection.close();
  }
}

async function socket(api) {
  const what = "WebSocket";
  const opened = await new Promise((resolve) => {
    const socket = new WebSocket(api.socket);
    const end = (value) => {
      socket.close();
      resolve(value);
    };
    socket.onopen = () => end(true);
    socket.onerror = () => end(false);
  });
  if (!opened) return finding("bad", what, "Blocked as well: a proxy in between does not let WebSockets through.");
  return globalThis.VideoDecoder && globalThis.AudioDecoder
    ? finding("good", what, "It gets through.")
    : finding("bad", what, "It gets through, but this browser cannot play it (no WebCodecs). Try a current Chrome, Edge or Firefox.");
}
