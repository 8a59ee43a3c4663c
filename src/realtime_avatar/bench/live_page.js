// What a browser hears and sees of a conversation, kept until it is asked for.
//
// All times are this page's own, in milliseconds (performance.now). Sound, the microphone's
// and the avatar's, is kept as levels of 5 ms, each with the time at which the track gave it
// to the page: Web Audio would hold the microphone back for a tenth of a second and more.
// The avatar's is kept itself, too. Pictures are kept as small grey crops, when the browser
// shows them.

const BATCH = 20; // levels
const HOPS = 200; // levels a second
const SIDE = 144; // of the crops, pixels
const PATIENCE = 20000; // ms to connect

const kept = { microphone: [], voice: [], pictures: [], events: [], stats: [] };
const faces = []; // one Uint8Array of SIDE * SIDE for each picture
const sounds = []; // Int16Arrays, of what levels are kept of and a little more
const video = Object.assign(document.createElement("video"), { autoplay: true, playsInline: true });
let connection, session, box;

async function gathered() {
  while (connection.iceGatheringState !== "complete") {
    await new Promise((resolve) =>
      connection.addEventListener("icegatheringstatechange", resolve, { once: true }));
  }
}

// Keep the levels of a track: [when the last of them came, seconds of sound before, levels],
// and, given `whole`, its samples.
async function listen(track, batches, whole) {
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  let [samples, count, sum, levels, before] = [0, 0, 0, [], 0];
  for (;;) {
    const { value: data, done } = await reader.read();
    if (done) return;
    const rate = data.sampleRate;
    const sound = new Float32Array(data.numberOfFrames);
    data.copyTo(sound, { planeIndex: 0, format: "f32-planar" });
    data.close();
    whole?.push(Int16Array.from(sound, (sample) => sample * 32767));
    for (const sample of sound) {
      sum += sample * sample;
      samples++;
      if (++count < rate / HOPS) continue;
      levels.push(Math.sqrt(sum / count));
      [count, sum] = [0, 0];
    }
    if (levels.length < BATCH) continue;
    batches.push([performance.now(), before, levels]);
    [levels, before] = [[], samples / rate - count / rate];
  }
}

// The brightness of a square of a picture, SIDE pixels wide. Decoded pictures begin with the
// plane of it: drawing them would have every pixel turned into colours first.
async function grey(frame) {
  if (!/^(I420|NV12)/.test(frame.format)) throw new Error(`pictures are ${frame.format}`);
  const [left, top, side] = [box.left & ~1, box.top & ~1, box.side & ~1];
  const rect = { x: left, y: top, width: side, height: side };
  const data = new Uint8Array(frame.allocationSize({ rect }));
  const [{ offset, stride }] = await frame.copyTo(data, { rect });
  const face = new Uint8Array(SIDE * SIDE);
  const step = (side - 1) / SIDE;
  for (let y = 0, i = 0; y < SIDE; y++) {
    const row = offset + Math.floor((y + 0.5) * step) * stride;
    for (let x = 0; x < SIDE; x++, i++) {
      const at = row + Math.floor((x + 0.5) * step);
      face[i] = (data[at] + data[at + 1] + data[at + stride] + data[at + stride + 1]) >> 2;
    }
  }
  return face;
}

function look() {
  const seen = async (now, about) => {
    video.requestVideoFrameCallback(seen);
    if (!box) return;
    const frame = new VideoFrame(video);
    try {
      faces.push(await grey(frame));
    } finally {
      frame.close();
    }
    kept.pictures.push([about.expectedDisplayTime, about.presentedFrames]);
  };
  video.requestVideoFrameCallback(seen);
}

async function connect() {
  const microphone = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  });
  listen(microphone.getAudioTracks()[0], kept.microphone);
  const context = new AudioContext({ latencyHint: "interactive" }); // knows the speaker's delay
  new ConstantSourceNode(context, { offset: 0 }).connect(context.destination);
  await context.resume();
  connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const stream = new MediaStream();
  connection.ontrack = ({ track, receiver }) => {
    if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
    stream.addTrack(track);
    video.srcObject = stream;
    if (track.kind === "audio") listen(track, kept.voice, sounds);
  };
  const channel = connection.createDataChannel("events", { ordered: true });
  channel.onmessage = ({ data }) => kept.events.push([performance.now(), JSON.parse(data)]);
  const opened = new Promise((resolve) => (channel.onopen = resolve));
  connection.addTrack(microphone.getAudioTracks()[0], microphone);
  connection.addTransceiver("video", { direction: "recvonly" });
  await connection.setLocalDescription();
  await gathered();
  const answer = await fetch("/api/v1/sessions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ sdp: connection.localDescription.sdp, type: "offer" }),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  session = told.id;
  await connection.setRemoteDescription(told);
  await opened;
  while (!video.videoWidth) await new Promise((resolve) => setTimeout(resolve, 50));
  document.body.replaceChildren(video);
  look();
  const latency = microphone.getAudioTracks()[0].getSettings().latency ?? 0;
  return { microphone: latency, speaker: context.outputLatency || context.baseLatency };
}

function base64(arrays) {
  let text = "";
  for (const array of arrays) {
    const bytes = new Uint8Array(array.buffer);
    for (let i = 0; i < bytes.length; i += 8192) {
      text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    }
  }
  return btoa(text);
}

globalThis.bench = {
  side: SIDE,

  // Open a conversation; return the delays of microphone and speaker, seconds.
  connect() {
    const late = new Promise((_, reject) =>
      setTimeout(() => reject(new Error("there is no connection")), PATIENCE));
    return Promise.race([connect(), late]);
  },

  // Return the picture that is shown, as the address of a PNG.
  picture() {
    const canvas = Object.assign(document.createElement("canvas"),
      { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    return canvas.toDataURL("image/png");
  },

  // Keep this square of every picture from now on.
  watch(square) {
    box = square;
  },

  // Keep the browser's own figures of now.
  async note() {
    const report = await connection.getStats();
    const inbound = [...report.values()].filter(({ type }) => type === "inbound-rtp");
    kept.stats.push([performance.now(), inbound]);
  },

  // Wait until the avatar has nothing more to say, at most so many milliseconds.
  async idle(patience) {
    const until = performance.now() + patience;
    const states = () => kept.events.filter(([, event]) => event.type === "state");
    while (states().at(-1)?.[1].state !== "idle" && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  },

  // Hang up and return everything but the crops.
  async end() {
    box = undefined; // a picture that comes from now on would have no entry in what is returned
    connection.close();
    await fetch(`/api/v1/sessions/${session}`, { method: "DELETE" });
    return kept;
  },

  // Return some of the crops, as the base64 of their bytes.
  crops: (first, end) => base64(faces.slice(first, end)),

  // Return some of the sounds alike.
  sounds: (first, end) => base64(sounds.slice(first, end)),
};
