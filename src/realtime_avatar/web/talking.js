// When the microphone is heard: always, while a button is held, or between two clicks.

const KEYS = matchMedia("(any-pointer: fine)").matches; // else it is a phone, without a keyboard

const LONG = 16; // characters of a name that would break the hint's one line

/** How the person talks. Calls `changed` whenever what the session should hear does. */
export class Talking {
  #mode = "always";
  #muted = false;
  #held = false;
  #clicked = false;
  #available = false;
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /** @type {"always" | "click" | "push"} */
  get mode() {
    return this.#mode;
  }

  set mode(value) {
    this.#mode = value;
    this.#muted = this.#held = this.#clicked = false;
    this.#changed();
  }

  /** Whether there is a microphone. */
  get available() {
    return this.#available;
  }

  set available(value) {
    this.#available = value;
    this.#held = this.#clicked = false;
    this.#changed();
  }

  /** What the session is told: "always", "never" or "talk". */
  get listen() {
    if (!this.#available) return "never";
    if (this.#held || this.#clicked) return "talk";
    return this.#mode === "always" && !this.#muted ? "always" : "never";
  }

  /** Whether it is switched off, rather than waiting for a button. */
  get off() {
    return !this.#available || (this.#mode === "always" && this.listen === "never");
  }

  /** Whether holding a button or Space talks now. */
  get holds() {
    return this.#available && (this.#mode === "push" || (this.#mode === "always" && this.#muted));
  }

  /** The microphone button was clicked. */
  click() {
    if (this.#mode === "always") this.#muted = !this.#muted;
    else if (this.#mode === "click") this.#clicked = !this.#clicked;
    else return;
    this.#changed();
  }

  /** The button or Space is held, or let go. */
  hold(held) {
    if (held === this.#held || (held && !this.holds)) return;
    this.#held = held;
    this.#changed();
  }

  /** One sentence that says what to do now. */
  hint(name) {
    if (!this.#available) return "No microphone: type your message.";
    if (this.#mode === "click") {
      return this.#clicked ? "Click again when you are done." : "Click the microphone to talk.";
    }
    if (this.#held) return "Let go when you are done.";
    if (this.#mode === "push") return `Hold the microphone${KEYS ? " or Space" : ""} to talk.`;
    if (this.#muted) return `Your microphone is off.${KEYS ? " Hold Space to talk." : ""}`;
    return `Just speak. ${name.length > LONG ? "The avatar" : name} is listening.`;
  }

  /** What the microphone button does, for screen readers. */
  label() {
    if (!this.#available) return "Turn the microphone on";
    if (this.#mode === "push") return "Hold to talk";
    if (this.#mode === "click") return this.#clicked ? "Done talking" : "Talk";
    return this.#muted ? "Turn the microphone on" : "Turn the microphone off";
  }
}
