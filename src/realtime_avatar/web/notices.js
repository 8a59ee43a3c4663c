// Sentences for the person: seen for a while over the picture, and read by screen readers.

import { icon } from "./icons.js";

const SHOWN = 6000; // ms

/** One notice at a time. */
export class Notices {
  #box;
  #status;
  #timer = 0;

  /**
   * @param {HTMLElement} box Where notices are shown, a live region.
   * @param {HTMLElement} status A hidden live region for what is only said.
   */
  constructor(box, status) {
    this.#box = box;
    this.#status = status;
  }

  /**
   * Show a sentence.
   *
   * @param {string} words
   * @param {{lasting?: boolean, action?: string, act?: () => void}} [options]
   *   `lasting` ones stay until closed; `action` is a button that does `act`.
   */
  show(words, { lasting = false, action = "", act = () => {} } = {}) {
    clearTimeout(this.#timer);
    const notice = document.createElement("div");
    notice.className = "notice";
    notice.innerHTML = `<p></p>${action && `<button type="button" class="act"></button>`}
      <button type="button" class="tool" aria-label="Close the message" title="Close">${icon("close")}</button>`;
    notice.querySelector("p").textContent = words;
    const button = notice.querySelector(".act");
    if (button) {
      button.textContent = action;
      button.onclick = () => {
        this.clear();
        act();
      };
    }
    notice.querySelector(".tool").onclick = () => this.clear();
    this.#box.replaceChildren(notice);
    if (!lasting) this.#timer = setTimeout(() => this.clear(), SHOWN);
  }

  /** Tell a screen reader something that everybody else sees anyway. */
  say(words) {
    this.#status.textContent = words;
  }

  clear() {
    clearTimeout(this.#timer);
    this.#box.replaceChildren();
  }
}
