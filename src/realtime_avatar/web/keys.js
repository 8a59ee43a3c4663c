// Keys: Space to talk, Esc to stop, L for the latency panel.

const TEXT = "input:not([type=radio], [type=checkbox], [type=file]), textarea, select, [contenteditable]";
const ACTIVE = "button, a[href], input, select, textarea, summary, [contenteditable]";

/** Listens to keys until closed. */
export class Keys {
  /** Whether letters and Space act; Esc always does. */
  letters = true;
  #abort = new AbortController();

  /**
   * @param {EventTarget} target Where keys are listened to.
   * @param {{escape: () => void, latency: () => void, talk: (held: boolean) => boolean}} act
   */
  constructor(target, { escape, latency, talk }) {
    const { signal } = this.#abort;
    let held = false;
    const down = (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const focus = event.composedPath()[0];
      const inText = focus.matches?.(TEXT);
      if (event.key === "Escape") escape();
      else if (!this.letters || inText) return;
      else if (event.key.toLowerCase() === "l") latency();
      else if (event.key === " " && mayTalk(focus)) {
        if (event.repeat) {
          if (held) event.preventDefault();
          return;
        }
        held = talk(true);
        if (held) event.preventDefault();
      }
    };
    const up = (event) => {
      if (event.type === "keyup" && event.key !== " ") return;
      if (!held) return;
      held = false;
      talk(false);
      // A button that has the focus must not be clicked by the key that was held.
      event.preventDefault();
    };
    target.addEventListener("keydown", down, { signal });
    target.addEventListener("keyup", up, { signal });
    addEventListener("blur", up, { signal });
  }

  close() {
    this.#abort.abort();
  }
}

// Space presses a button that has the focus; only the microphone's talks instead.
function mayTalk(focus) {
  return focus.matches?.(".microphone") || !focus.matches?.(ACTIVE);
}
