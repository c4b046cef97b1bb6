"use strict";
// Two videos that one control drives: the longer one is the clock, the other is held to it.
const FRAME = 1 / 5, DRIFT = 0.06, ROWS = 50;

class Player {
  constructor(section) {
    this.box = section.querySelector(".player");
    this.videos = [...this.box.querySelectorAll("video")];
    this.ends = [...this.box.querySelectorAll(".end")];
    this.what = this.box.querySelector(".what");
    this.button = this.box.querySelector(".play");
    this.seekBar = this.box.querySelector(".seek");
    this.output = this.box.querySelector(".time");
    this.speed = this.box.querySelector(".speed");
    this.playing = false;
    this.button.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    this.box.querySelector(".back").addEventListener("click", () => this.step(-1));
    this.box.querySelector(".on").addEventListener("click", () => this.step(1));
    this.seekBar.addEventListener("input", () => this.seek(Number(this.seekBar.value)));
    this.speed.addEventListener("change", () => this.videos.forEach((v) => (v.playbackRate = Number(this.speed.value))));
    for (const video of this.videos) {
      video.addEventListener("loadedmetadata", () => this.show());
      video.addEventListener("ended", () => this.clock() === video && this.pause());
    }
  }

  load(row) {
    this.pause();
    const data = row.dataset;
    this.what.textContent = data.place;
    [["left", 0], ["right", 1]].forEach(([side, number]) => {
      const video = this.videos[number];
      video.poster = data[`${side}Poster`];
      video.src = data[side];
      video.preload = "metadata";
      video.load();
      this.ends[number].textContent = data[`${side}End`];
    });
    this.seekBar.value = 0;
    this.show();
  }

  length() { return Math.max(...this.videos.map((v) => v.duration || 0)); }

  clock() { return this.videos.reduce((a, b) => ((b.duration || 0) > (a.duration || 0) ? b : a)); }

  async play() {
    if (!this.videos[0].src) return;
    if (this.clock().currentTime >= this.length() - 0.01) this.seek(0);
    this.playing = true;
    this.button.textContent = "Pause";
    const rate = Number(this.speed.value);
    const start = this.clock().currentTime;
    await Promise.all(this.videos.map((v) => ready(v)));  // none starts before both can
    if (!this.playing) return;
    for (const video of this.videos) {
      video.playbackRate = rate;
      if (start < video.duration - 0.01) video.play().catch(() => this.pause());
    }
    const hold = () => {
      if (!this.playing) return;
      const clock = this.clock();
      for (const video of this.videos) {
        const due = Math.min(clock.currentTime, video.duration || 0);
        if (video !== clock && !video.seeking && Math.abs(video.currentTime - due) > DRIFT) video.currentTime = due;
        if (video !== clock && video.paused && due < video.duration - 0.05 && this.playing) video.play().catch(() => {});
      }
      this.show();
      requestAnimationFrame(hold);
    };
    requestAnimationFrame(hold);
  }

  pause() {
    this.playing = false;
    this.button.textContent = "Play";
    this.videos.forEach((v) => v.pause());
    const now = this.clock().currentTime;
    for (const video of this.videos) {
      const due = Math.min(now, video.duration || 0);
      if (video !== this.clock() && Math.abs(video.currentTime - due) > 0.001 && video.duration) video.currentTime = due;
    }
    this.show();
  }

  seek(time) {
    const due = Math.min(Math.max(time, 0), this.length());
    this.videos.forEach((v) => { if (v.duration) v.currentTime = Math.min(due, v.duration); });
    this.show(due);
  }

  step(frames) {
    this.pause();
    this.seek(this.clock().currentTime + frames * FRAME);
  }

  show(time = this.clock().currentTime) {
    const length = this.length();
    this.seekBar.max = length || 1;
    this.seekBar.value = time;
    this.output.textContent = length ? `${time.toFixed(1)} of ${length.toFixed(1)} s` : "";
  }
}

function ready(video) {
  if (video.readyState >= 3 || video.error) return Promise.resolve();
  video.preload = "auto";
  return new Promise((done) => ["canplay", "error"].forEach((name) => video.addEventListener(name, done, { once: true })));
}

class Changes {
  constructor(section, player) {
    this.rows = [...section.querySelectorAll(".changes tbody tr")];
    this.way = section.querySelector(".way");
    this.cell = section.querySelector(".cell");
    this.pages = section.querySelector(".pages");
    this.page = 0;
    [this.way, this.cell].forEach((choice) => choice && choice.addEventListener("change", () => { this.page = 0; this.show(); }));
    this.pages.querySelector(".before").addEventListener("click", () => { this.page -= 1; this.show(); });
    this.pages.querySelector(".after").addEventListener("click", () => { this.page += 1; this.show(); });
    for (const row of this.rows) {
      const button = row.querySelector(".watch");
      if (button) button.addEventListener("click", () => { this.watch(row, player); player.box.scrollIntoView({ block: "nearest" }); player.play(); });
    }
    section.querySelector(".choose").hidden = false;
    for (const button of section.querySelectorAll(".watch")) button.hidden = false;
    const first = this.rows.find((row) => row.querySelector(".watch"));
    player.box.hidden = !first;
    if (first) this.watch(first, player);
    this.show();
  }

  watch(row, player) {
    this.rows.forEach((each) => each.classList.toggle("shown", each === row));
    player.load(row);
  }

  show() {
    const fit = this.rows.filter((row) => (!this.way.value || row.dataset.way === this.way.value)
      && (!this.cell || !this.cell.value || row.dataset.cell === this.cell.value));
    const pages = Math.max(1, Math.ceil(fit.length / ROWS));
    this.page = Math.min(Math.max(this.page, 0), pages - 1);
    const shown = new Set(fit.slice(this.page * ROWS, (this.page + 1) * ROWS));
    this.rows.forEach((row) => { row.hidden = !shown.has(row); });
    this.pages.hidden = pages === 1;
    this.pages.querySelector(".where").textContent = `page ${this.page + 1} of ${pages}`;
    this.pages.querySelector(".before").disabled = this.page === 0;
    this.pages.querySelector(".after").disabled = this.page === pages - 1;
  }
}

for (const section of document.querySelectorAll(".against")) {
  if (section.querySelector(".changes")) new Changes(section, new Player(section));
}
