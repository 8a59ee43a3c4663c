// The microphone for the WebSocket: Opus where the browser can encode it, else PCM.

const OPUS = 1;
const PCM = 3;
const RATE = { [OPUS]: 48_000, [PCM]: 16_000 };
const FRAME = 20; // ms

/**
 * Begin to encode a microphone.
 *
 * @param {MediaStreamTrack} track
 * @param {(kind: number, at: number, payload: Uint8Array) => void} send
 *   Called every 20 ms with the kind of frame and its time in microseconds.
 * @returns {Promise<{close: () => void}>}
 */
export async function openCapture(track, send) {
  const kind = (await encodesOpus()) ? OPUS : PCM;
  const context = new AudioContext({ sampleRate: RATE[kind], latencyHint: "interactive" });
  await context.audioWorklet.addModule(new URL("./capture-worklet.js", import.meta.url));
  const samples = (RATE[kind] * FRAME) / 1000;
  const node = new AudioWorkletNode(context, "capture", {
    numberOfOutputs: 0,
    channelCount: 1,
    channelCountMode: "explicit",
    processorOptions: { samples },
  });
  const encoder = kind === OPUS ? opusEncoder(send) : null;
  let frames = 0;
  node.port.onmessage = ({ data }) => {
    const timestamp = frames++ * FRAME * 1000;
    if (!encoder) {
      send(PCM, timestamp, new Uint8Array(int16(data).buffer));
      return;
    }
    const format = { format: "f32-planar", sampleRate: RATE[OPUS], numberOfChannels: 1 };
    const audio = new AudioData({ ...format, numberOfFrames: data.length, timestamp, data });
    encoder.encode(audio);
    audio.close();
  };
  context.createMediaStreamSource(new MediaStream([track])).connect(node);
  return {
    close() {
      node.port.onmessage = null;
      encoder?.close();
      context.close();
    },
  };
}

const CONFIG = {
  codec: "opus",
  sampleRate: RATE[OPUS],
  numberOfChannels: 1,
  bitrate: 32_000,
  opus: { frameDuration: FRAME * 1000, application: "voip" },
};

async function encodesOpus() {
  if (!globalThis.AudioEncoder) return false;
  return (await AudioEncoder.isConfigSupported(CONFIG)).supported;
}

function opusEncoder(send) {
  const encoder = new AudioEncoder({
    output(chunk) {
      const payload = new Uint8Array(chunk.byteLength);
      chunk.copyTo(payload);
      send(OPUS, chunk.timestamp, payload);
    },
    error(error) {
      console.error("realtime-avatar: the microphone cannot be encoded:", error.message);
    },
  });
  encoder.configure(CONFIG);
  return encoder;
}

function int16(samples) {
  return Int16Array.from(samples, (sample) => Math.max(-1, Math.min(1, sample)) * 32767);
}
