// Icons as SVG paths on a 24 x 24 grid, drawn with a 1.75 stroke in the text's colour.

const PATHS = {
  add: "M12 5v14M5 12h14",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zM5 15V5a1 1 0 0 1 1-1h9",
  download: "M12 4v11M7.5 11L12 15.5 16.5 11M5 19.5h14",
  end: "M2.5 13.6c0-6.4 19-6.4 19 0v1.6a1.2 1.2 0 0 1-1.4 1.2l-3.4-.6a1.2 1.2 0 0 1-1-1.2v-2c-2.2-.7-5.2-.7-7.4 0v2a1.2 1.2 0 0 1-1 1.2l-3.4.6a1.2 1.2 0 0 1-1.4-1.2z",
  history: "M4 12a8 8 0 1 0 2.6-5.9L4 8.4M4 4v4.4h4.4M12 8v4.3l3 1.8",
  keyboard: "M4 6.5h16a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zM7 10.2v.01M10.3 10.2v.01M13.7 10.2v.01M17 10.2v.01M8 14h8",
  microphone: "M12 4a3 3 0 0 1 3 3v4.5a3 3 0 0 1-6 0V7a3 3 0 0 1 3-3zM6 11.5a6 6 0 0 0 12 0M12 17.5V21",
  muted: "M15 8.5V7a3 3 0 0 0-5.6-1.5M9 9.5v2a3 3 0 0 0 4.6 2.5M6 11.5a6 6 0 0 0 9.5 4.9M18 11.5a6 6 0 0 1-.6 2.6M12 17.5V21M4 3.5l16 17",
  send: "M12 19V5.5M6 11.5L12 5.5l6 6",
  settings: "M4 7.5h9M17.5 7.5H20M4 16.5h2.5M11 16.5h9M15.2 5.3a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4zM8.8 14.3a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z",
  stop: "M7.5 7.5h9v9h-9z",
  transcript: "M5 5.5h14a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-7l-4.5 3.5v-3.5H5a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zM8 9.5h8M8 12.7h5",
  trash: "M5 7h14M10 7V5h4v2M7 7l.8 12h8.4L17 7M10.5 10.5v5.5M13.5 10.5v5.5",
  warning: "M12 4.5l8.5 15h-17zM12 10v4.5M12 17v.01",
};

/**
 * Return the markup of an icon; it is decoration, its button carries the name.
 *
 * @param {keyof typeof PATHS} name
 * @returns {string}
 */
export function icon(name) {
  return `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="${PATHS[name]}"/></svg>`;
}
