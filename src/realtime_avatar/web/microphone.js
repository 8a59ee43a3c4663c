// The person's microphone: asked for once, silent unless it is meant to be heard.

/** Why there is no microphone, in words. */
export class MicrophoneError extends Error {
  /**
   * @param {"insecure" | "refused" | "none" | "busy"} kind
   * @param {string} message A sentence for the person.
   */
  constructor(kind, message) {
    super(message);
    this.name = "MicrophoneError";
    this.kind = kind;
  }
}

const WORDS = {
  insecure:
    "This page was not opened from a secure address (https:// or localhost), so the browser keeps the microphone from it. You can type.",
  refused:
    "The browser may not use the microphone. Allow it in the address bar, then try again. You can type meanwhile.",
  none: "No microphone was found. Plug one in and try again. You can type meanwhile.",
  busy: "The microphone is used by another program. Close that and try again. You can type meanwhile.",
};

const KINDS = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "none",
  OverconstrainedError: "none",
};

/** One microphone; `track` is null until `open` has succeeded. */
export class Microphone {
  #stream = null;
  #analyser = null;
  #samples = null;

  /** The sound as it is sent. */
  get track() {
    return this.#stream?.getAudioTracks()[0] ?? null;
  }

  /**
   * Ask for the microphone, with the browser's echo cancellation.
   *
   * @param {AudioContext} [context] Where its level is measured.
   * @param {() => void} [lost] Called when it is unplugged or taken away.
   * @returns {Promise<MediaStreamTrack>}
   * @throws {MicrophoneError} when there is none to be had.
   */
  async open(context, lost) {
    if (this.track?.readyState === "live") return this.track;
    if (!globalThis.isSecureContext || !navigator.mediaDevices) throw failure("insecure");
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
      });
    } catch (error) {
      throw failure(KINDS[error.name] ?? "busy");
    }
    this.track.enabled = false;
    this.track.addEventListener("ended", () => lost?.());
    if (context) {
      this.#analyser = new AnalyserNode(context, { fftSize: 1024 });
      this.#samples = new Float32Array(this.#analyser.fftSize);
      context.createMediaStreamSource(this.#stream).connect(this.#analyser);
    }
    return this.track;
  }

  /** Let it be heard, or fall silent. */
  set heard(value) {
    if (this.track) this.track.enabled = value;
  }

  /** Return how loud it is now, 0 to 1 over the range of speech. */
  level() {
    if (!this.#analyser || !this.track?.enabled) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let power = 0;
    for (const sample of this.#samples) power += sample * sample;
    const decibels = 10 * Math.log10(power / this.#samples.length + 1e-10);
    return Math.min(1, Math.max(0, (decibels + 55) / 40));
  }

  /** Give it back; the browser's sign that it is in use goes out. */
  close() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = this.#analyser = null;
  }
}

function failure(kind) {
  return new MicrophoneError(kind, WORDS[kind]);
}
