// Dialogs of the page: a sheet over it, which goes by its button, by Escape, and by a click beside it.

/** Closes it as people expect; what lies around the sheet belongs to the dialog itself. */
export function closeLikeASheet(dialog) {
  let pressed = null; // a press that began on the sheet, such as one that selects text, may end beside it
  dialog.addEventListener("pointerdown", ({ target }) => (pressed = target));
  dialog.addEventListener("click", ({ target }) => {
    if (target.closest("[data-close]") || (target === dialog && pressed === dialog)) dialog.close();
  });
}
