"use strict";
// A page of a run that goes on looks for a newer one, and disturbs nobody who watches a video, writes or reads an episode.
(() => {
  const STALE = 300, KEY = "simpler-eval place " + location.pathname;
  const busy = () => document.hidden || document.querySelector("dialog[open]") !== null
    || [...document.querySelectorAll("video")].some((video) => !video.paused)
    || ["INPUT", "SELECT"].includes((document.activeElement || {}).tagName);
  try {
    const place = sessionStorage.getItem(KEY);
    if (place !== null) { sessionStorage.removeItem(KEY); scrollTo(0, Number(place)); }
  } catch { /* a browser that keeps nothing */ }
  const age = (Date.now() - Date.parse(WRITTEN)) / 1000;
  if (age > STALE) {
    const note = document.getElementById("stale");
    note.hidden = false;
    note.textContent = `Nothing was written for ${Math.round(age / 60)} minutes: the run may have been killed.`;
  }
  setInterval(() => {
    if (busy()) return;
    try { sessionStorage.setItem(KEY, String(scrollY)); } catch { /* as above */ }
    location.reload();
  }, 1000 * RELOAD);
})();
