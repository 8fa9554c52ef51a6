// Light or dark: the system's choice, until a button says otherwise; kept in this browser.

import { read, write } from "./shelf.js";

const KEY = "turbo-ui/theme";

/** Applies the kept choice, and lets `button` change it. */
export function listenForTheme(button) {
  button.addEventListener("click", () => {
    const isDark = document.body.classList.toggle("dark");
    write(KEY, isDark ? "dark" : "light");
  });
  const kept = read(KEY);
  const isAsked = new URLSearchParams(location.search).has("__theme");
  if (kept && !isAsked) document.body.classList.toggle("dark", kept === "dark");
}
