// Where the time of each turn went, and how the connection does.

const STAGES = {
  end_of_turn: "End of turn",
  recognizer: "Recognition",
  chat: "Reply",
  voice: "Voice",
  face: "Face",
  playout: "First sound",
};
const TURNS = 4; // shown

/** A panel of the last turns' timings and the connection's figures. */
export class LatencyPanel {
  #panel;
  #timer = 0;

  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.#panel = panel;
  }

  get open() {
    return !this.#panel.hidden;
  }

  /**
   * Show or hide it.
   *
   * @param {() => import("./conversation.js").Conversation} conversation
   * @param {() => object | null} session The one that is live.
   */
  toggle(conversation, session) {
    this.#panel.hidden = this.open;
    clearInterval(this.#timer);
    if (!this.open) return;
    const look = async () => {
      this.turns(conversation());
      this.#connection(await session()?.stats());
    };
    look();
    this.#timer = setInterval(look, 1000);
  }

  /** Show the turns' timings. */
  turns(conversation) {
    const timed = conversation.turns.filter((turn) => Object.keys(turn.stages).length);
    const table = this.#panel.querySelector("tbody");
    const longest = Math.max(1, ...timed.slice(-TURNS).map(({ stages }) => last(stages)));
    table.replaceChildren(...timed.slice(-TURNS).reverse().flatMap((turn) => rows(turn, longest)));
    this.#panel.querySelector(".none").hidden = timed.length > 0;
    const firsts = timed.map(({ stages }) => last(stages)).sort((a, b) => a - b);
    const middle = firsts[Math.floor((firsts.length - 1) / 2)];
    this.#panel.querySelector(".median").textContent = timed.length
      ? `Median of ${timed.length} ${timed.length === 1 ? "turn" : "turns"}: ${seconds(middle)}`
      : "";
  }

  #connection(stats) {
    const list = this.#panel.querySelector("dl");
    list.hidden = !stats;
    if (!stats) return;
    const figures = {
      Connection: stats.transport,
      Picture: [stats.codec, stats.size, `${Math.round(stats.fps)} fps`].filter(Boolean).join(", "),
      Freezes: String(stats.freezes),
      "Round trip": stats.roundTrip ? seconds(stats.roundTrip) : "–",
      "Sound buffer": seconds(stats.buffer),
    };
    list.replaceChildren(
      ...Object.entries(figures).flatMap(([name, figure]) => {
        const term = document.createElement("dt");
        const value = document.createElement("dd");
        term.textContent = name;
        value.textContent = figure;
        return [term, value];
      }),
    );
  }
}

function rows({ id, stages, said }, longest) {
  let before = 0;
  const known = Object.keys(stages).sort((a, b) => stages[a] - stages[b]);
  const heading = document.createElement("tr");
  heading.innerHTML = `<th class="turn" scope="rowgroup" colspan="3"></th>`;
  heading.firstChild.textContent = said || `Turn ${id}`;
  const stagewise = known.map((stage) => {
    const row = document.createElement("tr");
    row.innerHTML = `<th scope="row"></th><td class="bar"><span></span></td><td class="at"></td>`;
    row.children[0].textContent = STAGES[stage] ?? stage.replaceAll("_", " ");
    const bar = row.querySelector(".bar span");
    bar.style.marginInlineStart = `${(100 * before) / longest}%`;
    bar.style.width = `${Math.max(0.5, (100 * (stages[stage] - before)) / longest)}%`;
    row.children[2].textContent = seconds(stages[stage]);
    before = stages[stage];
    return row;
  });
  return [heading, ...stagewise];
}

function last(stages) {
  return stages.playout ?? Math.max(...Object.values(stages));
}

function seconds(value) {
  return value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(2)} s`;
}
