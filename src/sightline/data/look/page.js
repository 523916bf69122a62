"use strict";
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const figures = all("figure");
const classes = all("input[data-class]");
const splits = all("input[data-split]");
const dialog = document.querySelector("dialog");

function update() {
  const off = classes.filter((box) => !box.checked).map((box) => `[data-k="${Number(box.dataset.class)}"]`);
  document.getElementById("off").textContent = off.length ? `${off.join(",")}{display:none}` : "";
  const shownClasses = new Set(classes.filter((box) => box.checked).map((box) => box.dataset.class));
  const shownSplits = new Set(splits.filter((box) => box.checked).map((box) => box.dataset.split));
  const onlyWith = document.getElementById("only-with").checked;
  let count = 0;
  for (const figure of figures) {
    const its = figure.dataset.classes ? figure.dataset.classes.split(" ") : [];
    const visible = shownSplits.has(figure.dataset.split) && (!onlyWith || its.some((k) => shownClasses.has(k)));
    figure.hidden = !visible;
    count += visible;
  }
  document.getElementById("shown").textContent = count;
  document.getElementById("none").hidden = count > 0;
}

function show(figure) {
  const picture = document.querySelector("dialog .picture");
  picture.replaceChildren(figure.querySelector("svg").cloneNode(true));
  document.querySelector("dialog .bar span").textContent = all(".where > span", figure).map((part) => part.textContent).join("  ·  ");
  dialog.dataset.place = figures.indexOf(figure);
  if (!dialog.open) dialog.showModal();
}

function step(by) {
  const visible = figures.filter((figure) => !figure.hidden);
  const place = visible.indexOf(figures[Number(dialog.dataset.place)]);
  show(visible[(place + by + visible.length) % visible.length]);
}

document.addEventListener("change", update);
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.matches("figure .picture")) show(button.closest("figure"));
  if (button.dataset.step) step(Number(button.dataset.step));
  if (button.dataset.check) {
    for (const box of classes) if (!box.closest("label").hidden) box.checked = button.dataset.check === "all";
    update();
  }
  if (button.id === "close") dialog.close();
  if (button.id === "labels") document.body.classList.toggle("unlabelled");
  if (button.id === "theme") {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  }
});
document.addEventListener("keydown", (event) => {
  if (!dialog.open) return;
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});
const search = document.getElementById("search");
if (search) {
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const box of classes) {
      const label = box.closest("label");
      label.hidden = !label.textContent.toLowerCase().includes(wanted);
    }
  });
}
update();
