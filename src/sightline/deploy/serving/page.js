"use strict";
const find = (id) => document.getElementById(id);
const drop = find("drop"), chooser = find("file"), threshold = find("threshold");
let current = null, latest = 0;

function say(text, isError) {
  find("status").textContent = text;
  find("status").classList.toggle("error", Boolean(isError));
}

function row(cells, kind) {
  const line = document.createElement("tr");
  for (const text of cells) {
    const cell = document.createElement(kind);
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

// The columns of a table, and its rows, of what the server answers for each kind of task.
function table(answer) {
  const score = (value) => (value === null ? "" : value.toFixed(3));
  if (answer.objects) {
    return [["class", "score"], answer.objects.map((one) => [one.class, score(one.score)])];
  }
  if (answer.areas) {
    const share = (one) => (100 * one.pixels / (answer.height * answer.width)).toFixed(1) + " %";
    return [["class", "area", "score"], answer.areas.map((one) => [one.class, share(one), score(one.score)])];
  }
  const sorted = Object.entries(answer.scores).sort((one, other) => other[1] - one[1]).slice(0, 20);
  return [["class", "score"], sorted.map(([name, value]) => [name, score(value)])];
}

function show(answer, seconds) {
  const [columns, rows] = table(answer);
  document.querySelector("thead").replaceChildren(row(columns, "th"));
  find("rows").replaceChildren(...rows.map((cells) => row(cells, "td")));
  find("picture").src = answer.picture;
  find("result").hidden = false;
  const count = answer.objects ? `${rows.length} objects, ` : "";
  say(`${count}${answer.width} x ${answer.height} pixels, ${seconds.toFixed(2)} s`);
}

async function predict() {
  if (!current) return;
  const mine = ++latest, begun = performance.now();
  say("predicting ...");
  try {
    const url = `/predict?picture=true&threshold=${threshold.value}`;
    const response = await fetch(url, { method: "POST", body: current });
    const answer = await response.json();
    if (mine !== latest) return;
    if (!response.ok) throw new Error(typeof answer.detail === "string" ? answer.detail : response.statusText);
    show(answer, (performance.now() - begun) / 1000);
  } catch (error) {
    if (mine === latest) say(error.message, true);
  }
}

function take(file) {
  if (!file) return;
  current = file;
  predict();
}

chooser.addEventListener("change", () => take(chooser.files[0]));
drop.addEventListener("keydown", (event) => { if (event.key === "Enter") chooser.click(); });
for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => take(event.clipboardData.files[0]));
threshold.addEventListener("input", () => { find("least").textContent = Number(threshold.value).toFixed(2); });
threshold.addEventListener("change", predict);
