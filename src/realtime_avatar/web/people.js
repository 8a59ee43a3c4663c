// The list of people's voices in the settings: how far each is, and its removal.

import { icon } from "./icons.js";

const LOOK = 3000; // ms between looks at a voice that becomes more alike

/** Shows the enrolled voices of one server. */
export class People {
  #list;
  #api;
  #removed;
  #timer = 0;

  /**
   * @param {HTMLElement} list
   * @param {import("./api.js").Api} api
   * @param {(name: string) => void} removed Called when one was.
   */
  constructor(list, api, removed) {
    this.#list = list;
    this.#api = api;
    this.#removed = removed;
  }

  /** Look again at what there is, and go on looking while something happens. */
  async show() {
    clearTimeout(this.#timer);
    const { voices } = await this.#api.voices();
    this.#list.replaceChildren(...voices.map((voice) => this.#item(voice)));
    if (voices.some(({ refining }) => refining !== null)) {
      this.#timer = setTimeout(() => this.show().catch(() => {}), LOOK);
    }
  }

  #item({ name, refining, consent }) {
    const item = document.createElement("li");
    item.innerHTML = `<p><strong></strong><small></small></p>
      <button type="button" class="tool" title="Delete">${icon("close")}</button>`;
    item.querySelector("strong").textContent = name;
    const agreed = `${consent.person} agreed on ${new Date(consent.when).toLocaleDateString()}.`;
    item.querySelector("small").textContent =
      refining === null ? agreed : `${agreed} Becoming more alike: ${Math.round(refining * 100)}%.`;
    const button = item.querySelector("button");
    button.setAttribute("aria-label", `Withdraw consent and delete the voice “${name}”`);
    button.onclick = async () => {
      await this.#api.removeVoice(name);
      this.#removed(name);
      await this.show();
    };
    return item;
  }
}
