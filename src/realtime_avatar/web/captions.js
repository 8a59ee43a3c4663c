// The last words of both, growing as they are said.

const TURNS = 2; // shown at once
const CUT = 60; // characters of what was cut off; the transcript has all of it
const NEAR = 80; // pixels from the end within which the box follows it

/** Shows the end of a conversation in a box that keeps its size. */
export class Captions {
  #box;
  #lines = new Map(); // "turn id/who" -> {element, text}

  /** @param {HTMLElement} box */
  constructor(box) {
    this.#box = box;
  }

  /**
   * Show the conversation as it is now.
   *
   * @param {import("./conversation.js").Conversation} conversation
   * @param {string} name The avatar's.
   */
  show(conversation, name) {
    const wanted = new Set();
    const follows = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < NEAR;
    const last = conversation.turns.at(-1);
    for (const turn of conversation.turns.slice(-TURNS)) {
      const past = turn !== last;
      if (turn.said) this.#line(wanted, turn, "you", { past, name: "You", text: turn.said });
      if (turn.heard || turn.cut) {
        this.#line(wanted, turn, "avatar", { past, name, text: turn.heard, cut: turn.cut });
      }
    }
    for (const [key, { element }] of this.#lines) {
      if (wanted.has(key)) continue;
      element.remove();
      this.#lines.delete(key);
    }
    [...wanted].forEach((key, at) => {
      const { element } = this.#lines.get(key);
      const there = this.#box.children[at];
      if (there !== element) this.#box.insertBefore(element, there ?? null);
    });
    if (follows) this.#box.scrollTop = this.#box.scrollHeight;
  }

  #line(wanted, turn, who, { past, name, text, cut = "" }) {
    const key = `${turn.id}/${who}`;
    wanted.add(key);
    let line = this.#lines.get(key);
    if (!line) {
      const element = document.createElement("p");
      element.className = `line ${who}`;
      element.innerHTML = `<span class="hidden"></span><span class="words"></span>`;
      element.firstChild.textContent = `${name}: `;
      line = { element, text: "" };
      this.#lines.set(key, line);
    }
    line.element.lang = turn.language;
    line.element.classList.toggle("past", past);
    line.element.classList.toggle("guess", who === "you" && !turn.final);
    const words = line.element.children[1];
    if (text !== line.text) {
      grow(words, line.text, text);
      line.text = text;
    }
    if (cut && !line.element.querySelector("del")) {
      const struck = document.createElement("del");
      struck.textContent = shortened(cut);
      line.element.append(" ", struck);
    }
  }
}

// Whole words, where words are spaced apart.
function shortened(cut) {
  return cut.length > CUT ? `${cut.slice(0, CUT).replace(/\s+\S*$/, "")}…` : cut;
}

// Words that stay are left alone, so that only what is new fades in.
function grow(element, before, after) {
  if (!before || !after.startsWith(before)) {
    element.replaceChildren();
    before = "";
  }
  const fresh = document.createElement("span");
  fresh.className = "fresh";
  fresh.textContent = after.slice(before.length);
  element.append(fresh);
}
