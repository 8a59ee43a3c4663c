// The whole conversation as text, and the earlier ones.

import { icon } from "./icons.js";

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const NEAR = 60; // pixels from the end within which the list follows it

/** Shows a conversation turn by turn. */
export class Transcript {
  #list;
  #shown = new Map(); // turn id -> element
  #conversation = null;

  /** @param {HTMLElement} list */
  constructor(list) {
    this.#list = list;
  }

  /**
   * Show a conversation, or what changed in it.
   *
   * @param {import("./conversation.js").Conversation} conversation
   * @param {string} name The avatar's.
   * @param {import("./conversation.js").Turn | null} [changed] Null: everything may have.
   */
  show(conversation, name, changed = null) {
    if (conversation !== this.#conversation || !changed) {
      this.#list.replaceChildren();
      this.#shown.clear();
      this.#conversation = conversation;
    }
    const box = this.#list.parentElement;
    const follows = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
    for (const turn of changed ? [changed] : conversation.turns) {
      const item = entry(turn, name);
      const old = this.#shown.get(turn.id);
      if (old) old.replaceWith(item);
      else this.#list.append(item);
      this.#shown.set(turn.id, item);
    }
    if (follows) this.toEnd();
  }

  /** Go to the last words. */
  toEnd() {
    const box = this.#list.parentElement;
    box.scrollTop = box.scrollHeight;
  }
}

/**
 * List the earlier conversations.
 *
 * @param {HTMLElement} list
 * @param {object[]} records The archive's.
 * @param {{open: (record: object) => void, remove: (record: object) => void}} act
 */
export function listConversations(list, records, { open, remove }) {
  list.replaceChildren(
    ...records.map((record) => {
      const item = document.createElement("li");
      item.innerHTML = `
        <button type="button" class="open"><span class="title"></span><time></time></button>
        <button type="button" class="tool remove">${icon("trash")}</button>`;
      const [opener, remover] = item.querySelectorAll("button");
      item.querySelector(".title").textContent = record.title;
      item.querySelector("time").textContent = DAY.format(record.updated);
      item.querySelector("time").dateTime = new Date(record.updated).toISOString();
      remover.setAttribute("aria-label", `Delete the conversation “${record.title}”`);
      remover.title = "Delete";
      opener.onclick = () => open(record);
      remover.onclick = () => remove(record);
      return item;
    }),
  );
}

function entry({ said, final, language, heard, cut, sources = [] }, name) {
  const item = document.createElement("li");
  item.lang = language;
  if (said) item.append(words("you", "You", said, final));
  if (heard || cut) {
    const answer = words("avatar", name, heard, true);
    if (cut) {
      const struck = document.createElement("del");
      struck.textContent = cut;
      answer.lastChild.append(" ", struck);
    }
    if (sources.length) answer.append(citation(sources));
    item.append(answer);
  }
  return item;
}

// Which documents an answer is based on, and what they say.
function citation(sources) {
  const box = document.createElement("details");
  box.className = "sources";
  const summary = document.createElement("summary");
  summary.textContent = `From ${[...new Set(sources.map((source) => source.document))].join(", ")}`;
  box.append(summary);
  for (const { document: file, place, text } of sources) {
    const quote = document.createElement("blockquote");
    quote.textContent = text;
    const cite = document.createElement("cite");
    cite.textContent = [file, place].filter(Boolean).join(", ");
    quote.append(cite);
    box.append(quote);
  }
  return box;
}

function words(kind, who, text, final) {
  const box = document.createElement("div");
  box.className = `${kind}${final ? "" : " guess"}`;
  const label = document.createElement("span");
  label.className = "who";
  label.textContent = who;
  const paragraph = document.createElement("p");
  paragraph.textContent = text.trim();
  box.append(label, paragraph);
  return box;
}
