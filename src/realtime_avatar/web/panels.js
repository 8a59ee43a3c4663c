// The panels at the side: one at a time; on a narrow page it covers the picture.

/** Opens and closes the panels. */
export class Panels {
  #root;
  #open = null; // {panel, button}

  /**
   * @param {ShadowRoot} root
   * @param {(name: string) => void} opened Called with the id of a panel that has opened.
   */
  constructor(root, opened) {
    this.#root = root;
    for (const panel of root.querySelectorAll(".panel")) {
      const button = root.querySelector(`[aria-controls="${panel.id}"]`);
      panel.querySelector(".close-panel").onclick = () => this.close();
      button.onclick = () => {
        if (this.#open?.panel === panel) {
          this.close();
          return;
        }
        this.close();
        this.#show(panel, button);
        opened(panel.id);
      };
    }
    new ResizeObserver(() => this.#cover()).observe(root.querySelector(".app"));
  }

  /** Close the open panel. Returns whether there was one. */
  close() {
    if (!this.#open) return false;
    const { panel, button } = this.#open;
    const hadFocus = panel.contains(this.#root.activeElement);
    panel.hidden = true;
    button.setAttribute("aria-expanded", "false");
    this.#open = null;
    this.#cover();
    if (hadFocus) button.focus();
    return true;
  }

  #show(panel, button) {
    panel.hidden = false;
    button.setAttribute("aria-expanded", "true");
    this.#open = { panel, button };
    this.#cover();
    panel.focus();
  }

  // Where the panel covers the rest, the rest cannot be reached.
  #cover() {
    const app = this.#root.querySelector(".app");
    const covers = this.#open && getComputedStyle(this.#open.panel).position === "absolute";
    app.classList.toggle("beside", Boolean(this.#open) && !covers);
    this.#root.querySelector(".stage").inert = Boolean(covers);
    this.#open?.panel.setAttribute("aria-modal", String(Boolean(covers)));
  }
}
