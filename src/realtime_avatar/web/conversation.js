// What was said, turn by turn, as the server's events tell it.

/**
 * @typedef {object} Turn
 * @property {number} id Unique in the conversation.
 * @property {string} said The person's words.
 * @property {boolean} final Whether those will not change any more.
 * @property {string} language ISO 639-1, empty when unknown.
 * @property {string} heard The avatar's words that were heard.
 * @property {string} cut Those that an interruption cut off.
 * @property {boolean} finished
 * @property {boolean} kept Whether the server has it for good.
 * @property {Record<string, number>} stages Seconds to each stage's first result.
 * @property {{document: string, place: string, text: string}[]} [sources] What the answer is based on.
 */

const MOST = 200; // messages that a session takes of an earlier conversation
const LONGEST = 5000; // characters of one

/**
 * One conversation. Events: `change` (detail: the turn, or null when turns went away).
 */
export class Conversation extends EventTarget {
  id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  /** Its id on the server; empty before there is one. */
  kept = "";
  started = Date.now();
  /** @type {Turn[]} */
  turns = [];
  #numbered = new Map(); // the session's number of a turn -> turn
  #typed = null; // a typed turn that the session has not numbered yet

  /** Return the conversation that a record of the archive holds. */
  static from({ id, kept = "", started, turns }) {
    return Object.assign(new Conversation(), { id, kept, started, turns });
  }

  /** Whether the server has all of it that is over. */
  get stored() {
    return Boolean(this.kept) && this.turns.every(({ finished, kept }) => kept || !finished);
  }

  /** Return what the archive keeps. */
  record() {
    const { id, kept, started } = this;
    const turns = this.turns.filter((turn) => turn.final || turn.heard);
    return { id, kept, started, updated: Date.now(), title: turns.find((turn) => turn.said)?.said ?? "", turns };
  }

  /** Return it as a new session wants to know it: only what was heard was said. */
  history() {
    const messages = this.turns.flatMap(({ said, final, heard }) => [
      ...(said && final ? [{ role: "user", text: said.slice(0, LONGEST) }] : []),
      ...(heard.trim() ? [{ role: "assistant", text: heard.trim().slice(0, LONGEST) }] : []),
    ]);
    return messages.slice(-MOST);
  }

  /** Return it as plain text. */
  text(name) {
    const line = (who, words) => (words ? [`${who}: ${words}`] : []);
    return this.turns
      .flatMap(({ said, heard, cut }) => [
        ...line("You", said),
        ...line(name, heard.trim() + (cut ? `— [interrupted: ${cut.trim()}]` : "")),
      ])
      .join("\n\n");
  }

  /** Count turns anew: a session numbers its own. */
  nextSession() {
    this.#numbered.clear();
    this.#typed = null;
    for (const turn of this.turns) turn.finished = true;
    this.#forgetGuess();
  }

  /** Add what the person typed. */
  type(text) {
    this.#forgetGuess();
    this.#typed = this.#add({ said: text, final: true });
    this.#changed(this.#typed);
  }

  /** Take an event of the server. */
  apply(event) {
    if (event.type === "state" && event.state === "idle") this.#forgetGuess();
    if (event.type === "conversation") this.kept = event.id;
    if (event.turn === undefined) return;
    const turn = this.#turn(event);
    if (event.type === "heard") {
      turn.said = event.text;
      turn.final = event.final;
      turn.language = event.language ?? "";
      turn.kept = event.kept;
    } else if (event.type === "words") {
      turn.heard += event.text;
    } else if (event.type === "finished") {
      turn.finished = true;
      turn.heard = event.heard;
      turn.cut = event.unheard ?? "";
      turn.kept = event.kept;
    } else if (event.type === "timings") {
      turn.stages = event.stages;
    } else if (event.type === "cited") {
      turn.sources = event.sources;
    }
    // What was taken for words, and was none, is final and empty.
    const empty = !turn.heard && !turn.cut && !turn.said && (turn.final || turn.finished);
    if (empty) this.#drop(turn);
    this.#changed(empty ? null : turn);
  }

  #turn(event) {
    const typed = this.#typed;
    if (typed && event.type === "heard" && event.final && event.text === typed.said) {
      this.#typed = null;
      this.#drop(this.#numbered.get(event.turn)); // a guess that the typing overtook
      this.#numbered.set(event.turn, typed);
    }
    if (!this.#numbered.has(event.turn)) this.#numbered.set(event.turn, this.#add({}));
    return this.#numbered.get(event.turn);
  }

  #add(words) {
    const blank = { said: "", final: false, language: "", heard: "", cut: "", finished: false, kept: false, stages: {} };
    const turn = { ...blank, ...words, id: (this.turns.at(-1)?.id ?? 0) + 1 };
    this.turns.push(turn);
    return turn;
  }

  // What was taken for words, and was none.
  #forgetGuess() {
    const last = this.turns.at(-1);
    if (!last || last.final || last.heard || last.cut) return;
    this.#drop(last);
    this.#changed(null);
  }

  #drop(gone) {
    this.turns = this.turns.filter((turn) => turn !== gone);
    for (const [number, turn] of this.#numbered) if (turn === gone) this.#numbered.delete(number);
  }

  #changed(turn) {
    this.dispatchEvent(new CustomEvent("change", { detail: turn }));
  }
}
