// Earlier conversations: on the server, and in this browser what the server does not keep.

const UNDO = 7000; // ms in which a deleted conversation can be had back

/**
 * @typedef {object} Item
 * @property {string} id
 * @property {string} [kept] Its id on the server.
 * @property {string} title What was said first, or what was searched for.
 * @property {number} updated Milliseconds since 1970.
 * @property {object[]} [turns] Of one that this browser has.
 */

/** The conversations of one person. */
export class Shelf {
  /** Whether the server keeps this browser's conversations. */
  remote = false;
  #api;
  #archive;
  #doomed = new Map(); // item's id -> timer of its deletion

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./archive.js").Archive} archive
   */
  constructor(api, archive) {
    this.#api = api;
    this.#archive = archive;
  }

  /** Find out whether the server keeps them: another site's page has no cookie there. */
  async look() {
    this.remote = await this.#api.conversations("", 1).then(
      () => true,
      () => false,
    );
  }

  /** Keep a conversation, unless the server has all of it. */
  async keep(conversation) {
    if (!(this.remote && conversation.stored)) await this.#archive.keepConversation(conversation.record());
  }

  /**
   * Return the conversations in which some words occur, the latest first.
   *
   * @param {string} words None: all.
   * @returns {Promise<Item[]>}
   * @throws {import("./api.js").ServerError}
   */
  async list(words) {
    const here = (await this.#archive.conversations()).filter((record) => holds(record, words));
    const both = new Set(here.map(({ kept }) => kept));
    const there = this.remote ? await this.#api.conversations(words) : [];
    const items = [...here, ...there.filter(({ id }) => !both.has(id)).map(item)];
    return items
      .filter(({ id }) => !this.#doomed.has(id))
      .sort((one, other) => other.updated - one.updated);
  }

  /**
   * Return a whole conversation.
   *
   * @param {Item} item
   * @throws {import("./api.js").ServerError}
   */
  async open(item) {
    return item.turns ? item : record(await this.#api.conversation(item.id));
  }

  /** Delete a conversation, soon. */
  remove(item) {
    this.#doomed.set(item.id, { item, timer: setTimeout(() => this.#delete(item), UNDO) });
  }

  /** Have it back. */
  restore(item) {
    clearTimeout(this.#doomed.get(item.id)?.timer);
    this.#doomed.delete(item.id);
  }

  /** Delete now what is to be deleted: the page is being closed. */
  close() {
    for (const { item, timer } of this.#doomed.values()) {
      clearTimeout(timer);
      this.#delete(item);
    }
  }

  async #delete(item) {
    if (item.turns) await this.#archive.removeConversation(item.id);
    if (item.kept && this.remote) await this.#api.forget(item.kept);
    this.#doomed.delete(item.id);
  }
}

function holds({ turns }, words) {
  const wanted = words.toLocaleLowerCase().split(/\s+/);
  return turns.some(({ said, heard }) => {
    const text = `${said} ${heard}`.toLocaleLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

function item({ id, title, excerpt, updated }) {
  return { id, kept: id, title: excerpt || title, updated: Date.parse(updated) };
}

// As the page knows a conversation.
function record({ id, started, turns }) {
  return {
    id,
    kept: id,
    started: Date.parse(started),
    turns: turns.map(({ number, said, language, heard, unheard, stages, sources }) => ({
      ...{ id: number, said, final: true, language, heard, cut: unheard, stages, sources },
      ...{ finished: true, kept: true },
    })),
  };
}
