// What the person chose, kept in this browser.

const KEY = "realtime-avatar";

const DEFAULTS = {
  avatar: "",
  language: "",
  voice: "",
  /** How to talk: "always", "click" or "push". */
  talk: "always",
  /** "auto", "light" or "dark". */
  theme: "auto",
  sound: true,
  shortcuts: true,
};

/** Return the choices of last time. */
export function loadPreferences() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY)) };
  } catch {
    return { ...DEFAULTS };
  }
}

/** Keep the choices for next time. */
export function savePreferences(preferences) {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // A sandboxed frame has no storage; the choices hold until it is closed.
  }
}
