// The dialog in which a person's voice or portrait is brought: whose it is, and that they agree.

const LONGEST = 30_000; // ms of a recording
const POOR = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

/** Asks for a voice, or for consent to a portrait. */
export class Enrol {
  #dialog;
  #form;
  #answer = () => {};
  #act = null;
  #file = null;
  #recorder = null;

  /** @param {ShadowRoot} root */
  constructor(root) {
    this.#dialog = root.querySelector("dialog.enrol");
    this.#form = this.#dialog.querySelector("form");
    this.#find(".record").onclick = () => (this.#recorder ? this.#recorder.stop() : this.#record());
    this.#find("[name=recording]").onchange = ({ target }) => this.#take(target.files[0] ?? null);
    this.#find(".cancel").onclick = () => this.#dialog.close();
    this.#form.onsubmit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    this.#dialog.onclose = () => {
      this.#recorder?.stop();
      this.#answer(null);
    };
  }

  /**
   * Ask.
   *
   * @template T
   * @param {"voice" | "portrait"} kind
   * @param {string} wording What is agreed to.
   * @param {(answer: {name: string, person: string, agreed: string, words: string,
   *   file: Blob | null}) => Promise<T>} act What to do then; its error is shown in the dialog.
   * @returns {Promise<T | null>} What it returned; null if the person thought better of it.
   */
  ask(kind, wording, act) {
    this.#form.reset();
    this.#act = act;
    this.#file = null;
    this.#dialog.dataset.kind = kind;
    const voice = kind === "voice";
    this.#find("h2").textContent = voice ? "Add a voice" : "Whose portrait is it?";
    this.#find(".wording").textContent = wording;
    for (const part of this.#dialog.querySelectorAll(".for-voice")) part.hidden = !voice;
    this.#form.elements.name.required = voice;
    this.#tell("");
    this.#got("");
    this.#dialog.showModal();
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  async #submit() {
    const { name, person } = this.#form.elements;
    if (this.#dialog.dataset.kind === "voice" && !this.#file) {
      this.#tell("Record yourself, or choose a recording.");
      return;
    }
    const button = this.#find("[type=submit]");
    button.disabled = true;
    this.#tell("");
    this.#got("One moment…");
    try {
      const done = await this.#act({
        name: name.value.trim(),
        person: person.value.trim(),
        agreed: new Date().toISOString(),
        words: this.#find(".wording").textContent,
        file: this.#file,
      });
      this.#answer(done);
      this.#answer = () => {};
      this.#dialog.close();
    } catch (error) {
      this.#tell(error.message);
    } finally {
      this.#got("");
      button.disabled = false;
    }
  }

  async #record() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: POOR });
    } catch {
      this.#tell("The microphone cannot be used; choose a recording instead.");
      return;
    }
    this.#tell("");
    const parts = [];
    const recorder = new MediaRecorder(stream);
    this.#recorder = recorder;
    const began = performance.now();
    const seconds = () => Math.round((performance.now() - began) / 1000);
    const clock = setInterval(() => {
      this.#got(`Recording, ${seconds()} s. Read the words above aloud.`);
      if (performance.now() - began > LONGEST) recorder.stop();
    }, 500);
    recorder.ondataavailable = ({ data }) => parts.push(data);
    recorder.onstop = () => {
      clearInterval(clock);
      stream.getTracks().forEach((track) => track.stop());
      this.#recorder = null;
      this.#find(".record").textContent = "Record again";
      this.#take(new Blob(parts, { type: recorder.mimeType }), `${seconds()} s recorded.`);
    };
    recorder.start();
    this.#find(".record").textContent = "Stop";
  }

  #take(file, words = file?.name ?? "") {
    this.#file = file;
    this.#got(words);
  }

  #got(words) {
    this.#find(".got").textContent = words;
  }

  #tell(words) {
    this.#find(".problem").textContent = words;
  }

  #find(selector) {
    return this.#dialog.querySelector(selector);
  }
}

/** Return a file's bytes as base64, which JSON can hold. */
export async function base64(file) {
  const reader = new FileReader();
  reader.readAsDataURL(file);
  await new Promise((resolve, reject) => {
    reader.onload = resolve;
    reader.onerror = () => reject(reader.error);
  });
  return reader.result.split(",", 2)[1];
}
