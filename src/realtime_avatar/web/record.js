// The conversation on record: captions, transcript, the earlier ones, and what can be done with them.

import { Captions } from "./captions.js";
import { Conversation } from "./conversation.js";
import { listConversations, Transcript } from "./transcript.js";

const LOGGED = 20; // lines kept for screen readers
const SETTLED = 200; // ms without a key, after which is searched

/** Shows a conversation everywhere, and keeps it. */
export class Record {
  /** @type {Conversation} */
  conversation;
  #root;
  #shelf = null;
  #captions;
  #transcript;
  #changed;
  #opened;
  #told;
  #name = "";
  #typing = 0; // timer

  /**
   * @param {ShadowRoot} root
   * @param {{changed: () => void, began: () => void, opened: () => void,
   *   told: (words: string, options?: {action: string, act: () => void}) => void}} act
   *   `began`: a new conversation; `opened`: an earlier one goes on; `told`: words to show.
   */
  constructor(root, { changed, began, opened, told }) {
    this.#root = root;
    this.#changed = changed;
    this.#captions = new Captions(this.#find(".captions"));
    this.#transcript = new Transcript(this.#find(".turns"));
    this.#find(".new").onclick = async () => {
      this.#follow(new Conversation());
      began();
      await this.open();
    };
    this.#find(".copy").onclick = async () => {
      await navigator.clipboard.writeText(this.conversation.text(this.#name));
      told("Copied.");
    };
    this.#find(".download").onclick = () => this.#download();
    this.#opened = opened;
    this.#told = told;
    for (const view of this.#views) view.onchange = () => this.#look();
    this.#find(".search").oninput = () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#list(), SETTLED);
    };
    this.#follow(new Conversation());
  }

  /** The avatar's name. */
  set name(name) {
    this.#name = name;
    this.#show(null);
  }

  /** Where conversations are kept. */
  set shelf(shelf) {
    this.#shelf = shelf;
    const where = shelf.remote ? "The server keeps them for this browser." : "They stay in this browser.";
    this.#find(".earlier .where").textContent = where;
  }

  /** Tell a screen reader what was said. */
  log(who, text) {
    const line = document.createElement("p");
    line.textContent = `${who}: ${text}`;
    const log = this.#find(".log");
    log.append(line);
    while (log.children.length > LOGGED) log.firstChild.remove();
  }

  /** Show this conversation's last words, and list the earlier ones. */
  async open() {
    this.#views[0].checked = true;
    this.#find(".search").value = "";
    this.#look();
    await this.#list();
  }

  async #list() {
    const words = this.#find(".search").value.trim();
    let items;
    try {
      items = await this.#shelf.list(words);
    } catch (error) {
      this.#told(error.message);
      return;
    }
    const { id, kept } = this.conversation;
    const others = items.filter((item) => item.id !== id && (!kept || item.kept !== kept));
    this.#find(".earlier .none").hidden = others.length > 0 || !words;
    this.#find(".earlier .empty").hidden = others.length > 0 || Boolean(words);
    listConversations(this.#find(".conversations"), others, {
      open: (item) => this.#reopen(item),
      remove: async (item) => {
        this.#shelf.remove(item);
        await this.#list();
        this.#find("#transcript").focus();
        const act = async () => {
          this.#shelf.restore(item);
          await this.#list();
        };
        this.#told("The conversation is deleted.", { action: "Undo", act });
      },
    });
  }

  async #reopen(item) {
    try {
      this.#follow(Conversation.from(await this.#shelf.open(item)));
    } catch (error) {
      this.#told(error.message);
      return;
    }
    this.#opened();
    await this.open();
    this.#find("#transcript").focus();
  }

  // The two views of the panel: this conversation, and the list of earlier ones.
  get #views() {
    return [...this.#root.querySelectorAll("[name=view]")];
  }

  #look() {
    const now = this.#views[0].checked;
    this.#find(".now").hidden = !now;
    this.#find(".earlier").hidden = now;
    if (now) this.#transcript.toEnd();
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  #follow(conversation) {
    this.conversation = conversation;
    conversation.addEventListener("change", ({ detail }) => {
      if (conversation !== this.conversation) return;
      this.#show(detail);
      if (!detail || detail.finished || detail.final) {
        this.#shelf?.keep(conversation);
      }
    });
    this.#show(null);
  }

  #show(turn) {
    const empty = !this.conversation.turns.length;
    this.#find(".now .empty").hidden = !empty;
    for (const name of ["copy", "download", "new"]) this.#find(`.${name}`).disabled = empty;
    this.#captions.show(this.conversation, this.#name);
    this.#transcript.show(this.conversation, this.#name, turn);
    this.#changed();
  }

  #download() {
    const text = this.conversation.text(this.#name);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = `conversation-${new Date(this.conversation.started).toISOString().slice(0, 10)}.txt`;
    link.click();
    URL.revokeObjectURL(link.href);
  }
}
