// Copying, fetched when somebody does; where a page may not, as over plain HTTP, one copies by hand.

const BY_HAND = "This browser lets pages copy over HTTPS alone. The text is selected: copy it with Ctrl or Command and C.";

/** Copy a text, and announce what was `done`. */
export async function copy(app, text, button, done) {
  button.parentElement.nextElementSibling?.matches(".by-hand") && button.parentElement.nextElementSibling.remove();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const label = Object.assign(document.createElement("label"), { className: "by-hand quiet", textContent: BY_HAND });
    const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, rows: 6 });
    label.append(field);
    button.parentElement.after(label);
    field.select();
    return void app.announce(BY_HAND);
  }
  button.classList.add("did");
  app.announce(done);
  window.setTimeout(() => button.classList.remove("did"), 2000);
}
