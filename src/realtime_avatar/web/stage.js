// The picture: the avatar's portrait, then its live video in exactly the same box.

const ROWS = 24; // colours that an edge of the portrait is summed up to
const NEAR = 3; // rows on either side that a colour is the mean of
const STRIP = 32; // columns over which the portrait passes into its surroundings

/** Shows an avatar's portrait, and a session's video over it once that moves. */
export class Stage {
  #root;
  #portrait;
  #video;
  #moving = null;
  #token = null;

  /** @param {ShadowRoot} root */
  constructor(root) {
    this.#root = root;
    this.#portrait = root.querySelector(".portrait");
    this.#video = root.querySelector("video");
  }

  /** What moves: the video element, or the canvas of the WebSocket. */
  get element() {
    return this.#moving;
  }

  /**
   * Show an avatar's still picture. Its box has the right shape before the picture is there.
   *
   * @param {{name: string, width: number, height: number}} avatar
   * @param {string} address Of the picture.
   */
  async still({ name, width, height }, address) {
    const stage = this.#root.querySelector(".stage");
    stage.style.setProperty("--ratio", String(width / height));
    const image = new Image();
    image.crossOrigin = "anonymous";
    image.src = address;
    const token = (this.#token = Symbol(name));
    await image.decode().catch(() => {});
    if (token !== this.#token || !image.naturalWidth) return;
    this.#portrait.src = image.src;
    this.#portrait.alt = `Portrait of ${name}`;
    this.#surround(image);
    stage.classList.add("shown");
  }

  /**
   * Show a session's video as soon as it moves.
   *
   * @param {{stream: MediaStream | null, canvas: HTMLCanvasElement | null}} session
   * @returns {Promise<void>} Fails when the browser wants a gesture before it plays sound.
   */
  async live({ stream, canvas }) {
    this.rest();
    if (canvas) {
      canvas.className = "moving";
      this.#video.after(canvas);
      this.#moving = canvas;
      const show = () => canvas.classList.add("shown");
      if (canvas.dataset.shown) show();
      else canvas.addEventListener("shown", show, { once: true });
      return;
    }
    this.#moving = this.#video;
    this.#video.srcObject = stream;
    const show = () => this.#video.srcObject === stream && this.#video.classList.add("shown");
    if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(show);
    else this.#video.addEventListener("loadeddata", show, { once: true });
    await this.#video.play();
  }

  /** Go back to the still picture. */
  rest() {
    if (this.#moving instanceof HTMLCanvasElement) this.#moving.remove();
    this.#video.classList.remove("shown");
    this.#video.srcObject = null;
    this.#moving = null;
  }

  // The portrait goes on at both sides in the colours of its edges, so that it fills a wide
  // window without a seam. All of it is painted once; nothing is blurred or masked while
  // the video runs.
  #surround(image) {
    const edges = edgeColours(image);
    if (!edges) return;
    const backdrop = this.#root.querySelector(".backdrop");
    paint(backdrop, 2, (row, column) => [...edges[column][row], 255]);
    const [left, right] = this.#root.querySelectorAll(".edge");
    paint(left, STRIP, (row, column) => [...edges[0][row], fading(column)]);
    paint(right, STRIP, (row, column) => [...edges[1][row], fading(STRIP - 1 - column)]);
  }
}

function fading(column) {
  const rest = 1 - column / (STRIP - 1);
  return 255 * rest * rest * (3 - 2 * rest);
}

// The mean colours of the left and the right edge, from top to bottom.
function edgeColours(image) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, ROWS];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  let data;
  try {
    ({ data } = context.getImageData(0, 0, canvas.width, canvas.height));
  } catch {
    return null; // another site's picture that may not be read
  }
  const colour = (row, from) =>
    [0, 1, 2].map((channel) => {
      const of = (column) => data[4 * (row * canvas.width + column) + channel];
      return (of(from) + of(from + 1) + of(from + 2)) / 3;
    });
  return [0, canvas.width - 3].map((from) =>
    smooth(Array.from({ length: ROWS }, (_, row) => colour(row, from))),
  );
}

// The mean of each row and its neighbours: what goes on sideways is light, not stripes.
function smooth(colours) {
  return colours.map((_, row) => {
    const near = colours.slice(Math.max(0, row - NEAR), row + NEAR + 1);
    return [0, 1, 2].map((channel) => near.reduce((sum, colour) => sum + colour[channel], 0) / near.length);
  });
}

function paint(canvas, columns, colour) {
  [canvas.width, canvas.height] = [columns, ROWS];
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(columns, ROWS);
  for (let row = 0; row < ROWS; row++) {
    for (let column = 0; column < columns; column++) {
      pixels.data.set(colour(row, column), 4 * (row * columns + column));
    }
  }
  context.putImageData(pixels, 0, 0);
}
