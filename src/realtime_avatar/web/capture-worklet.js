// Gathers the microphone's blocks of 128 samples into frames of a fixed length.

class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.frame = new Float32Array(processorOptions.samples);
    this.filled = 0;
  }

  process([[channel]]) {
    if (!channel) return true;
    for (let from = 0; from < channel.length; ) {
      const count = Math.min(channel.length - from, this.frame.length - this.filled);
      this.frame.set(channel.subarray(from, from + count), this.filled);
      this.filled += count;
      from += count;
      if (this.filled < this.frame.length) continue;
      const full = this.frame;
      this.frame = new Float32Array(full.length);
      this.filled = 0;
      this.port.postMessage(full, [full.buffer]);
    }
    return true;
  }
}

registerProcessor("capture", Capture);
