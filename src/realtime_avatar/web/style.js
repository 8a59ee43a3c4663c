// The style sheets of the element, there before the element is.

const NAMES = ["avatar", "stage", "talk", "panels", "settings", "enrol", "sizes"]; // the later ones win

export const styles = await Promise.all(
  NAMES.map(async (name) => {
    const response = await fetch(new URL(`./${name}.css`, import.meta.url));
    return new CSSStyleSheet().replace(await response.text());
  }),
);
