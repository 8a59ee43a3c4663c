// The row of buttons below the picture: microphone, typing, stop.

import { Talking } from "./talking.js";

const METER = 80; // ms between two looks at the microphone's level
const STEPS = 20; // of that level

/** The dock. */
export class Dock {
  /** When the microphone is heard. */
  talking = new Talking(() => this.show());
  #root;
  #microphone;
  #changed;
  #name = "";
  #waiting = "";
  #meter = 0;

  /**
   * @param {ShadowRoot} root
   * @param {import("./microphone.js").Microphone} microphone
   * @param {{changed: () => void, ask: () => void, say: (text: string) => boolean, stop: () => void}} act
   *   `changed`: what is to be heard may have; `ask`: the microphone is wanted;
   *   `say`: whether what was typed could be sent.
   */
  constructor(root, microphone, { changed, ask, say, stop }) {
    this.#root = root;
    this.#microphone = microphone;
    this.#changed = changed;
    this.#find(".stop").onclick = stop;
    this.#find(".type").onclick = () => this.showTyping(this.#find(".field").hidden);
    this.#find(".dock").onsubmit = (event) => {
      event.preventDefault();
      const field = this.#find(".message");
      if (say(field.value)) field.value = "";
    };
    this.#wireMicrophone(ask);
  }

  /** The avatar's name, for what the dock says. */
  set name(name) {
    this.#name = name;
    this.show();
  }

  /** What is said while there is no session, so that nobody speaks to no one; else empty. */
  set waiting(words) {
    if (words === this.#waiting) return;
    this.#waiting = words;
    this.show();
  }

  /** Whether there is something to stop. */
  set stoppable(value) {
    this.#find(".stop").disabled = !value;
  }

  /** One sentence that says what to do now. */
  get hint() {
    return this.#waiting || this.talking.hint(this.#name);
  }

  /** Show how the microphone is used. */
  show() {
    const { listen, available, off } = this.talking;
    this.#microphone.heard = listen !== "never";
    const button = this.#find("button.microphone");
    button.setAttribute("aria-label", this.talking.label());
    button.title = this.talking.label();
    button.classList.toggle("heard", listen !== "never" && !this.#waiting);
    button.classList.toggle("silent", off);
    this.#find(".hint").textContent = this.hint;
    if (available) this.#meter ||= setInterval(() => this.#showLevel(), METER);
    else this.#meter = clearInterval(this.#meter);
    this.#changed();
  }

  /** Show the field for typing, or the large microphone. */
  showTyping(on) {
    this.#find(".dock").classList.toggle("typing", on);
    this.#find(".field").hidden = !on;
    this.#find(".type").setAttribute("aria-pressed", String(on));
    if (on) this.#find(".message").focus();
  }

  /** Give the keyboard's focus to what is used next. */
  focus() {
    this.#find(this.#find(".field").hidden ? "button.microphone" : ".message").focus();
  }

  /**
   * Space was pressed or let go.
   *
   * @param {boolean} held
   * @returns {boolean} Whether it talks.
   */
  space(held) {
    if (!held || this.talking.holds) this.talking.hold(held);
    else if (this.talking.mode === "click") this.talking.click();
    else return false;
    return true;
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  // In few steps, so that a silent microphone moves nothing.
  #showLevel() {
    const level = (Math.round(this.#microphone.level() * STEPS) / STEPS).toFixed(2);
    const ring = this.#find(".level");
    if (ring.style.getPropertyValue("--level") !== level) ring.style.setProperty("--level", level);
  }

  #wireMicrophone(ask) {
    const button = this.#find("button.microphone");
    button.addEventListener("click", () => (this.talking.available ? this.talking.click() : ask()));
    button.addEventListener("pointerdown", ({ pointerId }) => {
      if (this.talking.mode !== "push") return;
      button.setPointerCapture(pointerId);
      this.talking.hold(true);
    });
    for (const name of ["pointerup", "pointercancel", "blur"]) {
      button.addEventListener(name, () => this.talking.mode === "push" && this.talking.hold(false));
    }
  }
}
