// Dialogs of the page: a sheet over it, which goes by its button, by Escape, and by a click beside it.

/** Closes it as people expect; what lies around the sheet belongs to the dialog itself. */
export function closeLikeASheet(dialog) {
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog || target.closest("[data-close]")) dialog.close();
  });
}
