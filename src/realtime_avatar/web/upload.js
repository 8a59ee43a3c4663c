// A portrait, dropped on the element or chosen in the settings.

/**
 * Take portraits.
 *
 * @param {ShadowRoot} root
 * @param {(file: File) => void} take
 */
export function acceptPortraits(root, take) {
  const app = root.querySelector(".app");
  const cover = root.querySelector(".drop");
  const input = root.querySelector("input[type=file]");
  const holdsFile = (event) => event.dataTransfer?.types.includes("Files");
  app.addEventListener("dragover", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    cover.hidden = false;
  });
  app.addEventListener("dragleave", (event) => {
    if (!app.contains(event.relatedTarget)) cover.hidden = true;
  });
  app.addEventListener("drop", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    cover.hidden = true;
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
  input.addEventListener("change", () => {
    if (input.files[0]) take(input.files[0]);
    input.value = "";
  });
}
