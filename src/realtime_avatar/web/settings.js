// The settings panel: pickers, switches, portraits and the connection check.

import { icon } from "./icons.js";

const VERDICTS = { good: "check", fair: "warning", bad: "close" };

/** The settings panel. Calls `changed(name, value)` for what the person chooses. */
export class Settings {
  #form;
  #url;
  #forget;

  /**
   * @param {HTMLFormElement} form
   * @param {{url: (path: string) => string, changed: (name: string, value: unknown) => void,
   *   forget: (id: string) => void, check: () => AsyncIterable<import("./check.js").Finding>}} act
   */
  constructor(form, { url, changed, forget, check }) {
    this.#form = form;
    this.#forget = forget;
    this.#url = url;
    form.querySelector(".check").onclick = () => this.#showFindings(check());
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", ({ target }) => {
      if (target.type === "file" || !target.name) return;
      changed(target.name, target.type === "checkbox" ? target.checked : target.value);
    });
  }

  /**
   * Show what there is to choose from, and what is chosen.
   *
   * @param {object} options The server's.
   * @param {object} chosen The person's preferences.
   */
  show(options, chosen) {
    const avatars = this.#form.querySelector(".avatars");
    avatars.replaceChildren(...options.avatars.map((avatar) => this.#avatar(avatar)));
    const names = new Map(options.languages.map(({ code, name }) => [code, name]));
    fill(this.#form.elements.language, [
      ["", "As I speak"],
      ...options.languages.map(({ code, name }) => [code, name]),
    ]);
    const voices = options.voices.filter(
      ({ languages }) => !chosen.language || languages.includes(chosen.language),
    );
    const speaks = ({ languages }) => languages.map((code) => names.get(code) ?? code).join(", ");
    fill(this.#form.elements.voice, [
      ["", "The avatar's own"],
      ...voices.map((voice) => [voice.id, `${voice.name} (${speaks(voice)})`]),
    ]);
    this.choose(chosen);
    this.#form.querySelector(".about").textContent = options.version
      ? `Realtime Avatar ${options.version}`
      : "";
  }

  /** Show what is chosen. */
  choose(chosen) {
    for (const field of this.#form.elements) {
      if (!(field.name in chosen)) continue;
      if (field.type === "radio") field.checked = field.value === chosen[field.name];
      else if (field.type === "checkbox") field.checked = chosen[field.name];
      else field.value = chosen[field.name];
    }
  }

  async #showFindings(findings) {
    const button = this.#form.querySelector(".check");
    const list = this.#form.querySelector(".findings");
    button.disabled = true;
    button.textContent = "Checking…";
    list.replaceChildren();
    try {
      for await (const { verdict, what, words } of findings) {
        const item = document.createElement("li");
        item.className = verdict;
        item.innerHTML = `${icon(VERDICTS[verdict])}<p><strong></strong> <span></span></p>`;
        item.querySelector("strong").textContent = `${what}:`;
        item.querySelector("span").textContent = words;
        list.append(item);
      }
    } finally {
      button.disabled = false;
      button.textContent = "Check again";
    }
  }

  #avatar({ id, name, picture, brought }) {
    const tile = document.createElement("div");
    tile.innerHTML = `
      <label><input type="radio" name="avatar"><img alt="" crossorigin="anonymous"><span></span></label>
      ${brought ? `<button type="button" class="tool forget" title="Remove">${icon("close")}</button>` : ""}`;
    tile.querySelector("input").value = id;
    tile.querySelector("img").src = this.#url(picture);
    tile.querySelector("span").textContent = name;
    const button = tile.querySelector("button");
    if (button) {
      button.setAttribute("aria-label", `Remove the portrait “${name}”`);
      button.onclick = () => this.#forget(id);
    }
    return tile;
  }
}

function fill(select, options) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}
