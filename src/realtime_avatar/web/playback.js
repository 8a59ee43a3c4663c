// Sound and pictures of the WebSocket on one clock: the sound card's.

const EARLY = 12; // pictures that may wait for their sound; then they are shown before it
const UNSEEN = 25; // pictures that may wait while the page is in the background
const FREEZE = 200_000; // microseconds between two pictures

/** Decodes and plays a session's sound and pictures. */
export class Playback {
  canvas = document.createElement("canvas");
  #context;
  #askForKey;
  #node;
  #audio;
  #video;
  #volume;
  #config;
  #clock = null; // {media, time}: at `time` of the context, `media` microseconds were heard
  #frames = [];
  #needsKey = true;
  #request = 0;
  #shown = []; // times of the pictures shown in the last second, ms
  #lastShown = 0;
  #freezes = 0;
  #waiting = 0;

  /**
   * @param {AudioContext} context
   * @param {{video_codec: string, width: number, height: number}} opened
   * @param {() => void} askForKey Called when only a key frame can be shown next.
   */
  static async open(context, opened, askForKey) {
    await context.audioWorklet.addModule(new URL("./playback-worklet.js", import.meta.url));
    return new Playback(context, opened, askForKey);
  }

  constructor(context, { video_codec: codec, width, height }, askForKey) {
    this.#context = context;
    this.#askForKey = askForKey;
    this.canvas.width = width;
    this.canvas.height = height;
    this.#config = { codec, codedWidth: width, codedHeight: height, optimizeForLatency: true };
    this.#node = new AudioWorkletNode(context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
    this.#node.port.onmessage = ({ data }) => {
      this.#clock = data;
      this.#waiting = data.waiting;
    };
    this.#volume = new GainNode(context);
    this.#node.connect(this.#volume).connect(context.destination);
    this.#openAudio();
    this.#openVideo();
    this.#draw();
  }

  /** Whether it is heard. */
  set sound(on) {
    this.#volume.gain.value = on ? 1 : 0;
  }

  /** Take an Opus packet. `at` in microseconds, as everywhere here. */
  hear(at, packet) {
    if (this.#audio.state === "closed") this.#openAudio();
    this.#audio.decode(new EncodedAudioChunk({ type: "key", timestamp: at, data: packet }));
  }

  /** Take an encoded picture; those before the first key frame cannot be shown. */
  see(at, chunk, key) {
    if (this.#video.state === "closed") {
      this.#openVideo();
      this.#askForKey();
    }
    if (this.#needsKey && !key) return;
    this.#needsKey = false;
    this.#video.decode(
      new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp: at, data: chunk }),
    );
  }

  /** Return pictures a second, freezes so far, and seconds of sound that wait. */
  figures() {
    const now = performance.now();
    this.#shown = this.#shown.filter((at) => now - at < 1000);
    return { fps: this.#shown.length, freezes: this.#freezes, buffer: this.#waiting };
  }

  close() {
    cancelAnimationFrame(this.#request);
    for (const decoder of [this.#audio, this.#video]) if (decoder.state !== "closed") decoder.close();
    this.#frames.splice(0).forEach((frame) => frame.close());
    this.#node.disconnect();
    this.#volume.disconnect();
    this.#node.port.close();
  }

  #openAudio() {
    this.#audio = new AudioDecoder({
      output: (data) => {
        const pcm = new Float32Array(data.numberOfFrames);
        data.copyTo(pcm, { planeIndex: 0, format: "f32-planar" });
        this.#node.port.postMessage({ at: data.timestamp, pcm }, [pcm.buffer]);
        data.close();
      },
      error: (error) => console.warn("realtime-avatar: sound:", error.message),
    });
    this.#audio.configure({ codec: "opus", sampleRate: 48_000, numberOfChannels: 1 });
  }

  #openVideo() {
    this.#needsKey = true;
    this.#video = new VideoDecoder({
      output: (frame) => {
        this.#frames.push(frame);
        while (this.#frames.length > UNSEEN) this.#frames.shift().close();
      },
      error: (error) => console.warn("realtime-avatar: pictures:", error.message),
    });
    this.#video.configure(this.#config);
  }

  // What is heard now: reckoned from the last report, less what the device still holds back.
  #now() {
    if (!this.#clock) return -1;
    const elapsed = this.#context.currentTime - this.#clock.time - (this.#context.outputLatency || 0);
    return this.#clock.media + elapsed * 1e6;
  }

  #draw() {
    this.#request = requestAnimationFrame(() => this.#draw());
    const now = this.#now();
    let due = null;
    while (this.#frames[0]?.timestamp <= now || this.#frames.length > EARLY) {
      due?.close();
      due = this.#frames.shift();
    }
    if (!due) return;
    const at = performance.now();
    if (this.#lastShown && (at - this.#lastShown) * 1000 > FREEZE) this.#freezes += 1;
    this.#lastShown = at;
    this.#shown.push(at);
    if (this.#shown.length > 100) this.#shown.shift();
    this.canvas.getContext("2d", { alpha: false }).drawImage(due, 0, 0);
    due.close();
    if (!this.canvas.dataset.shown) {
      this.canvas.dataset.shown = "true";
      this.canvas.dispatchEvent(new Event("shown"));
    }
  }
}
