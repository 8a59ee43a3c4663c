// Plays decoded sound, and says which moment of it is heard: the clock of the pictures.
//
// It waits until TARGET seconds are there, then plays; when it runs dry it is silent and
// fills up again. The sender's clock and the sound card's differ a little, so while more
// than TARGET waits, frames of silence are left out; far too much is dropped at once.

const TARGET = 0.08; // seconds
const AMPLE = 0.14;
const TOO_MUCH = 0.35;
const QUIET = 0.002;
const REPORT = 0.04; // seconds between two reports of the clock

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frames = []; // {at: microseconds, pcm: Float32Array}
    this.offset = 0; // samples of the first frame that were played
    this.playing = false;
    this.reported = 0;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  get waiting() {
    return this.frames.reduce((sum, { pcm }) => sum + pcm.length, -this.offset) / sampleRate;
  }

  take(frame) {
    if (this.waiting > AMPLE && quiet(frame.pcm)) return;
    this.frames.push(frame);
    if (this.waiting > (this.playing ? TOO_MUCH : AMPLE)) this.drop();
    if (this.waiting >= TARGET) this.playing = true;
  }

  drop() {
    while (this.waiting > TARGET) {
      this.frames.shift();
      this.offset = 0;
    }
  }

  process(_, [[output]]) {
    let filled = 0;
    if (this.playing && this.frames.length) this.report();
    while (this.playing && filled < output.length) {
      const frame = this.frames[0];
      if (!frame) {
        this.playing = false;
        break;
      }
      const count = Math.min(output.length - filled, frame.pcm.length - this.offset);
      output.set(frame.pcm.subarray(this.offset, this.offset + count), filled);
      filled += count;
      this.offset += count;
      if (this.offset === frame.pcm.length) {
        this.frames.shift();
        this.offset = 0;
      }
    }
    return true;
  }

  report() {
    if (currentTime - this.reported < REPORT) return;
    this.reported = currentTime;
    const media = this.frames[0].at + (this.offset / sampleRate) * 1e6;
    this.port.postMessage({ media, time: currentTime, waiting: this.waiting });
  }
}

function quiet(pcm) {
  return pcm.every((sample) => Math.abs(sample) < QUIET);
}

registerProcessor("playback", Playback);
