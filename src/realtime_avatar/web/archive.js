// What this browser keeps of its own: conversations, and the portraits that were brought.
// Nothing of it is sent anywhere until it is opened or chosen again.

const CONVERSATIONS = "conversations";
const PORTRAITS = "portraits";
const KEPT = 200; // conversations; the oldest go
const OPENING = 1000; // ms: some browsers never answer, and the page must not wait for that

/** An IndexedDB. Without one (a sandboxed frame, say) nothing is kept. */
export class Archive {
  #database = null;

  /** Open the archive. */
  static async open() {
    const archive = new Archive();
    try {
      const request = indexedDB.open("realtime-avatar", 1);
      request.onupgradeneeded = () => {
        const conversations = request.result.createObjectStore(CONVERSATIONS, { keyPath: "id" });
        conversations.createIndex("updated", "updated");
        request.result.createObjectStore(PORTRAITS, { keyPath: "id" });
      };
      archive.#database = await Promise.race([done(request), after(OPENING)]);
    } catch {
      // Private windows and sandboxed frames may refuse.
    }
    return archive;
  }

  /** Keep a conversation's record, in place of its last one. */
  async keepConversation(record) {
    if (!this.#database || !record.turns.length) return;
    await done(this.#store(CONVERSATIONS, "readwrite").put(record));
    const ids = await done(this.#store(CONVERSATIONS).index("updated").getAllKeys());
    for (const id of ids.slice(0, -KEPT)) await this.removeConversation(id);
  }

  /** Return all conversations' records, the latest first. */
  async conversations() {
    if (!this.#database) return [];
    return (await done(this.#store(CONVERSATIONS).index("updated").getAll())).reverse();
  }

  /** Forget a conversation. */
  async removeConversation(id) {
    if (this.#database) await done(this.#store(CONVERSATIONS, "readwrite").delete(id));
  }

  /** Keep a portrait's record: `{id, name, file, known}`. */
  async keepPortrait(record) {
    if (this.#database) await done(this.#store(PORTRAITS, "readwrite").put(record));
  }

  /** Return all portraits' records. */
  async portraits() {
    return this.#database ? done(this.#store(PORTRAITS).getAll()) : [];
  }

  /** Forget a portrait. */
  async removePortrait(id) {
    if (this.#database) await done(this.#store(PORTRAITS, "readwrite").delete(id));
  }

  #store(name, mode = "readonly") {
    return this.#database.transaction(name, mode).objectStore(name);
  }
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function after(time) {
  return new Promise((_, reject) => setTimeout(() => reject(new Error("It does not open.")), time));
}
