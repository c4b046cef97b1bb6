"use strict";
// The list of episodes: filter, sort, pages of rows, and one episode with its video. Texts enter as text, never as HTML.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = Object.fromEntries(data.columns.map((name, number) => [name, number]));
  const words = data.words, rows = data.rows, PAGE = 30;
  const $ = (id) => document.getElementById(id);
  const word = (row, name) => words[name][row[at[name]]];
  const state = {search: "", place: null, sort: "plan", descending: false, page: 0, entry: "", task: "", setting: "", variant: "", outcome: "", kind: ""};
  const OUTCOMES = {success: "✓ success", failure: "✗ failure", errored: "! errored", missing: "○ not played"};
  const COUNTED = {success: ["success", "successes"], failure: ["failure", "failures"], errored: ["errored", "errored"], missing: ["not played", "not played"]};
  const KEY = "simpler-eval " + location.pathname;
  const filters = [...document.querySelectorAll("#filters select[data-column]")];
  const byId = new Map(rows.map((row, number) => [row[at.entry] + " " + row[at.id], number]));
  let texts = null, found = [];

  function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made) made[name] = value; else made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }
  // A name may break after an underscore, a slash or an equals sign rather than anywhere.
  function breakable(made) {
    const parts = made.textContent.match(/[^_/=]*[_/=]+|[^_/=]+/g) || [];
    made.replaceChildren(...parts.flatMap((part, number) => number ? [document.createElement("wbr"), part] : [part]));
  }
  // How an episode ended: its own error in full length or shortened, not the kind that it is filtered by, which has no numbers.
  function ended(row, most = 120) {
    const error = row[at.error];
    if (word(row, "outcome") !== "errored" || !error) return word(row, "kind");
    return error.length > most ? error.slice(0, most - 1) + "…" : error;
  }
  const number = (value, digits = 0) => value === null ? "–" : value.toFixed(digits);
  const anchor = (row) => "#episode-" + row[at.id] + (words.entry.length > 1 ? "~" + row[at.entry] : "");

  // ---- which rows, in which order --------------------------------------------------------------------------------------

  function textOf(index) {
    texts ??= new Array(rows.length);
    const row = rows[index];
    return texts[index] ??= [row[at.id], word(row, "instruction"), word(row, "variant"), word(row, "task"), word(row, "setting"),
      word(row, "kind"), row[at.error] || ""].join(" ").toLowerCase();
  }

  function choose() {
    const wanted = filters.filter((select) => select.value !== "").map((select) => [at[select.dataset.column], Number(select.value)]);
    const parts = state.search.toLowerCase().split(/\s+/).filter(Boolean);
    found = [];
    rows.forEach((row, index) => {
      if (state.place !== null && row[at.place] !== state.place) return;
      if (!wanted.every(([column, value]) => row[column] === value)) return;
      if (parts.length && !parts.every((part) => textOf(index).includes(part))) return;
      found.push(index);
    });
    if (state.sort !== "plan") {
      const column = at[state.sort], names = words[state.sort];
      const order = names && state.sort !== "outcome" ? new Map([...names.keys()].sort((a, b) => names[a] < names[b] ? -1 : 1).map((key, place) => [key, place])) : null;
      const value = (index) => { const cell = rows[index][column]; return cell === null ? null : order ? order.get(cell) : cell; };
      const sign = state.descending ? -1 : 1;
      found.sort((a, b) => {
        const x = value(a), y = value(b);
        if (x === null || y === null) return (x === null) - (y === null) || a - b;  // what has none comes last either way
        return sign * (x - y) || a - b;
      });
    } else if (state.descending) found.reverse();
  }

  // ---- what is shown ----------------------------------------------------------------------------------------------------

  function rowOf(index) {
    const row = rows[index], outcome = word(row, "outcome"), href = anchor(row);
    const thumb = element("a", {className: "thumb", href});
    if (row[at.video] !== null && row[at.poster] !== null) {
      thumb.append(element("img", {src: row[at.poster], loading: "lazy", decoding: "async", alt: ""}), element("span", {className: "play"}, "▶ play"));
      thumb.setAttribute("aria-label", "Play: " + word(row, "instruction"));
    } else if (row[at.video] !== null) thumb.append("▶ video");
    else { thumb.classList.add("empty"); thumb.append("no video"); }
    const about = element("td", {}, element("b", {}, word(row, "instruction")), element("br"),
      element("small", {className: "quiet"}, `${words.entry.length > 1 ? word(row, "entry") + " · " : ""}${word(row, "task")} · ${word(row, "setting")} · ${word(row, "variant")} · index ${row[at.index]}${row[at.repeat] ? " · repeat " + row[at.repeat] : ""}`));
    breakable(about.lastChild);
    const kind = ended(row);
    const verdict = element("td", {}, element("span", {className: "badge " + outcome}, OUTCOMES[outcome]));
    if (kind) verdict.append(element("br"), element("small", {className: "quiet"}, kind));
    const figure = (name, value, text) => element("td", {className: "number" + (value === null ? " none" : ""), "data-name": name}, text);
    return element("tr", {}, element("td", {}, thumb), about, verdict,
      figure("steps", row[at.steps], row[at.steps] === null ? "–" : `${row[at.steps]}/${row[at.limit]}`),
      figure("steps to success", row[at.first], number(row[at.first])), figure("time, s", row[at.seconds], typeof row[at.seconds] === "number" ? number(row[at.seconds], 1) : "–"),
      element("td", {}, element("a", {href, "aria-label": "Link to episode " + row[at.id]}, "#" + row[at.id].replace(/^v\d+-/, "").slice(0, 6))));
  }

  function show() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    const some = found.slice(state.page * PAGE, (state.page + 1) * PAGE);
    document.querySelector("#list tbody").replaceChildren(...some.map(rowOf));
    const counts = new Map();
    for (const index of found) { const name = word(rows[index], "outcome"); counts.set(name, (counts.get(name) || 0) + 1); }
    const told = [...counts].map(([name, count]) => `${count.toLocaleString("en")} ${count === 1 ? COUNTED[name][0] : COUNTED[name][1]}`).join(", ");
    $("found").replaceChildren(`${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} ${rows.length === 1 ? "episode" : "episodes"}${told ? ": " + told : ""}. `);
    if (state.place !== null) {
      $("found").append(element("button", {type: "button", onclick: () => { state.place = null; update(); }}, "of one initial state ×"));
    }
    $("page").textContent = `page ${state.page + 1} of ${pages}`;
    $("previous").disabled = state.page === 0;
    $("next").disabled = state.page >= pages - 1;
  }

  function update(keepPage = false) {
    if (!keepPage) state.page = 0;
    choose();
    show();
    try { sessionStorage.setItem(KEY, JSON.stringify(state)); } catch { /* a browser that keeps nothing */ }
  }

  // ---- one episode ------------------------------------------------------------------------------------------------------

  function facts(row) {
    const list = element("dl", {className: "facts"});
    const fact = (name, value) => { if (value !== null && value !== "") list.append(element("div", {}, element("dt", {}, name), element("dd", {}, String(value)))); };
    fact("outcome", OUTCOMES[word(row, "outcome")]); if (word(row, "outcome") !== "errored") fact("how it ended", word(row, "kind"));
    if (words.entry.length > 1) fact("policy", word(row, "entry"));
    fact("task", word(row, "task")); fact("setting", word(row, "setting")); fact("variant", word(row, "variant"));
    fact("index in the variant", row[at.index]); if (row[at.repeat]) fact("repeat", row[at.repeat]);
    fact("steps", row[at.steps] === null ? null : `${row[at.steps]} (limit ${row[at.limit]})`); fact("steps to success", row[at.first]);
    fact("time", typeof row[at.seconds] === "number" ? row[at.seconds].toFixed(1) + " s" : null); fact("episode", row[at.id]); fact("error", row[at.error]);
    for (const [name, value] of Object.entries(row[at.stats])) {
      const [title, unit] = data.statistics[name] || [name.replaceAll("_", " "), ""];
      fact(title, value === true ? "yes" : value === false ? "no" : unit ? `${value} ${unit}` : value);
    }
    for (const made of list.querySelectorAll("dd")) breakable(made);
    return list;
  }

  function open(index) {
    const row = rows[index], dialog = $("episode");
    $("episode-title").textContent = word(row, "instruction");
    const left = element("div");
    if (row[at.video] !== null) {
      const video = element("video", {controls: true, preload: "metadata", src: row[at.video], autoplay: false});
      video.setAttribute("aria-label", "Video of the episode: " + word(row, "instruction"));
      if (row[at.poster] !== null) video.poster = row[at.poster];
      left.append(video, element("p", {className: "small"}, element("a", {href: row[at.video]}, "video file"), " · ", element("a", {href: anchor(row)}, "link to this episode")));
    } else left.append(element("p", {className: "quiet"}, "No video of this episode was kept."));
    const place = found.indexOf(index);
    const step = (by, text) => { const button = element("button", {type: "button", "data-step": by, onclick: () => go(found[place + by])}, text); button.disabled = place < 0 || !(place + by in found); return button; };
    left.append(element("div", {className: "steps"}, step(-1, "← previous"), step(1, "next →")));
    const stepped = document.activeElement.dataset.step;  // its button is about to be replaced: the focus stays on the new one
    $("episode-body").replaceChildren(element("div", {className: "player"}, left, facts(row)));
    if (!dialog.open) dialog.showModal();
    else if (stepped) [...dialog.querySelectorAll("[data-step]:enabled")].sort((a) => a.dataset.step === stepped ? -1 : 1)[0]?.focus();
  }

  function go(index) { location.hash = anchor(rows[index]); }

  function follow() {
    const hash = decodeURIComponent(location.hash);
    if (hash.startsWith("#episode-")) {
      const [id, entry] = hash.slice(9).split("~");
      const index = byId.get((entry || 0) + " " + id);
      if (index !== undefined) return open(index);
    }
    if ($("episode").open) $("episode").close();
    if (hash.startsWith("#place-")) choosePlace(Number(hash.slice(7)));
  }

  function choosePlace(place) {
    for (const select of filters) { select.value = ""; state[select.dataset.column] = ""; }
    $("search").value = state.search = "";
    state.place = place;
    update();
    if (found.length === 1) go(found[0]); else $("episodes").scrollIntoView();
  }

  // ---- controls -----------------------------------------------------------------------------------------------------------

  for (const select of filters) {
    const column = select.dataset.column, names = words[column];
    const used = new Set(rows.map((row) => row[at[column]]));
    names.forEach((name, key) => { if (name !== "" && used.has(key)) select.append(element("option", {value: key}, column === "outcome" && name === "missing" ? "not played" : name)); });
    if (select.options.length < 3) select.closest("label").hidden = true;
    select.addEventListener("change", () => { state[column] = select.value; update(); });
  }
  let wait = 0;
  $("search").addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => { state.search = $("search").value; update(); }, 120); });
  $("sort").addEventListener("change", () => { state.sort = $("sort").value; update(); });
  $("descending").addEventListener("change", () => { state.descending = $("descending").checked; update(); });
  $("clear").addEventListener("click", () => {
    Object.assign(state, {search: "", place: null, sort: "plan", descending: false});
    for (const select of filters) state[select.dataset.column] = "";
    put(); update();
  });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  const turn = (by) => { state.page += by; update(true); $("episodes").scrollIntoView(); };
  $("previous").addEventListener("click", () => turn(-1));
  $("next").addEventListener("click", () => turn(1));
  $("close").addEventListener("click", () => $("episode").close());
  $("episode").addEventListener("close", () => {
    $("episode-body").replaceChildren();  // a video stops
    if (location.hash.startsWith("#episode-")) history.replaceState(null, "", location.pathname + location.search);
  });
  $("episode").addEventListener("click", (event) => { if (event.target === $("episode")) $("episode").close(); });
  for (const mark of document.querySelectorAll(".mark")) {
    mark.addEventListener("click", (event) => { event.preventDefault(); choosePlace(Number(mark.dataset.place)); });
  }
  window.addEventListener("hashchange", follow);

  function put() {
    $("search").value = state.search; $("sort").value = state.sort; $("descending").checked = state.descending;
    for (const select of filters) select.value = state[select.dataset.column];
  }
  try { Object.assign(state, JSON.parse(sessionStorage.getItem(KEY) || "{}")); } catch { /* as above */ }
  put();
  update(true);
  follow();
})();
