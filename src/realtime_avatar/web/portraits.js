// The portraits that the person brought. The server keeps them for a while only, and lists
// them for nobody; this browser keeps the file and brings it again when the server forgot.

/**
 * @typedef {object} Avatar
 * @property {string} id
 * @property {string} name
 * @property {string} picture Address, as the server wrote it; a blob's for a brought one.
 * @property {number} width
 * @property {number} height
 * @property {boolean} [brought]
 */

/** The brought portraits of one server. */
export class Portraits {
  #api;
  #archive;
  #records = [];

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./archive.js").Archive} archive
   */
  constructor(api, archive) {
    this.#api = api;
    this.#archive = archive;
  }

  /**
   * Return them as avatars.
   *
   * @returns {Promise<Avatar[]>}
   */
  async list() {
    const kept = await this.#archive.portraits();
    this.#records = kept.map((record) => ({ ...record, address: URL.createObjectURL(record.file) }));
    return this.#records.map(avatar);
  }

  /**
   * Bring a new one.
   *
   * @param {File} file
   * @param {{person: string, agreed: string}} consent
   * @returns {Promise<{avatar: Avatar, warnings: string[]}>}
   * @throws {import("./api.js").ServerError} when it cannot be used, and why.
   */
  async add(file, { person, agreed }) {
    const consent = { person, agreed };
    const known = await this.#api.upload(file, plain(file.name), consent);
    const record = { id: `brought-${known.id}`, name: known.name, file, known, consent };
    await this.#archive.keepPortrait(record);
    this.#records.push({ ...record, address: URL.createObjectURL(file) });
    return { avatar: avatar(this.#records.at(-1)), warnings: known.warnings };
  }

  /** Forget one, here and on the server: the person withdraws their consent. */
  async remove(id) {
    const record = this.#records.find((one) => one.id === id);
    if (record) await this.#api.removeAvatar(record.known.id);
    await this.#archive.removePortrait(id);
    this.#records = this.#records.filter((record) => record.id !== id);
  }

  /**
   * Return how the server knows an avatar; bring its portrait again if it does not.
   *
   * @param {Avatar} avatar
   * @returns {Promise<Avatar>}
   */
  async known(avatar) {
    const record = this.#records.find(({ id }) => id === avatar.id);
    if (!record) return avatar;
    if (!(await this.#api.has(record.known.picture))) {
      const { id, name, file, consent = { person: "", agreed: "" } } = record;
      record.known = await this.#api.upload(file, name, consent);
      await this.#archive.keepPortrait({ id, name, file, consent, known: record.known });
    }
    return record.known;
  }
}

function avatar({ id, name, address, known: { width, height } }) {
  return { id, name, picture: address, width, height, brought: true };
}

// "ada_lovelace-2.jpg" is "ada lovelace 2".
function plain(filename) {
  return filename.replace(/\.[^.]*$/, "").replace(/[_-]+/g, " ").trim().slice(0, 60);
}
