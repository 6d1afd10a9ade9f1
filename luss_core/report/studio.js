// Editing, in the page that the studio serves: each change goes to the server, which answers with what is there then.
// Nothing is kept here alone: what the server did not take is said, and the page shows what the server has.
"use strict";
const POLL = 2500; // milliseconds until changes of another window show

// Browsers keep pictures; those of another studio at the same port are others.
page.photo = (image) => `photo/${image.r}.jpg?of=${page.data.opened}`;
page.mask = (image) => `mask/${image.r}.png?of=${page.data.opened}&look=${image.look}`;
let busy = false;
let undoButton = null;

const tell = (text, trouble = false) => {
  $("status").classList.toggle("trouble", trouble);
  undoButton = make("button", { type: "button", id: "undo", textContent: "Undo", disabled: !page.data.undoable, onclick: () => send({ do: "undo" }, "Undone.") });
  $("status").replaceChildren(make("span", { textContent: text }), undoButton);
};
const take = (state) => {
  const { edits, categories, undoable } = state;
  const other = edits.revision !== page.data.edits.revision || JSON.stringify(edits) !== JSON.stringify(page.data.edits);
  page.data.undoable = undoable;
  if (other) page.update({ edits, categories });
  return other;
};
page.load = async (name) => {
  try {
    const [status, found] = await ask(`align/${name}`);
    return status === 200 ? found : null;
  } catch {
    return null;
  }
};
const ask = async (path, settings) => {
  const answer = await fetch(path, { cache: "no-store", ...settings });
  const text = await answer.text();
  try {
    return [answer.status, JSON.parse(text)];
  } catch {
    return [answer.status, { error: text }];
  }
};
const gone = "The studio does not answer any more. Start it again and open the address that it prints; what was saved is kept.";

const send = (page.send = async (operation, done) => {
  if (busy) return;
  busy = true;
  try {
    const body = JSON.stringify({ base: page.data.edits.revision, ...operation });
    const [status, state] = await ask("edit", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (state.edits) take(state);
    tell(status === 200 ? `${done} Saved.` : `Not done: ${state.error}`, status !== 200);
  } catch {
    tell(gone, true);
  } finally {
    busy = false;
  }
});

let lost = false;
const look = async () => {
  if (busy || document.hidden) return;
  try {
    const [status, state] = await ask("state");
    if (busy) return;
    if (status !== 200) tell(state.error, true);
    else if (take(state)) tell("Another window, or a person in the file, changed something; this is how it is now.");
    else if (lost) tell("The studio answers again.");
    lost = status !== 200;
  } catch {
    if (!lost) tell(gone, true);
    lost = true;
  }
};
setInterval(look, POLL);
document.addEventListener("visibilitychange", look);
window.addEventListener("focus", look);

// One category

const others = (id) => page.view.order.filter((other) => other !== id).sort((a, b) => {
  const near = page.view.near(id);
  const rank = (one) => (near.includes(one) ? near.indexOf(one) : near.length);
  return rank(a) - rank(b) || a - b;
});
const options = (ids) => ids.map((id) => make("option", { value: id, textContent: page.view.name(id) }));
const merge = (id, into) => send({ do: "merge", category: id, into }, `“${page.view.name(id)}” is part of “${page.view.name(into)}” now.`).then(() => page.choose({ category: into }));

page.hooks.about.push((id) => {
  const box = $("actions");
  const writing = box.contains(document.activeElement) && box.dataset.of === String(id);
  if (writing) return; // what is being written stays, whatever other windows do
  box.dataset.of = String(id);
  box.replaceChildren();
  if (!id) return;
  const name = make("input", { type: "text", id: "rename", maxLength: 80, value: page.data.edits.names[id] || "", placeholder: page.view.name(id), "aria-label": "Name of the category", autocomplete: "off" });
  const naming = make("form", { onsubmit: (event) => {
    event.preventDefault();
    const text = name.value.trim();
    const same = page.view.order.find((other) => other !== id && page.view.name(other) === text);
    name.blur();
    send({ do: "name", category: id, name: text }, text ? `Named “${text}”.${same ? " Another category has this name too: merge them if they are the same." : ""}` : "The name is taken away.").then(() => page.refresh(true));
  } }, name, make("button", { textContent: "Name" }));
  const into = make("select", { id: "merge-into", "aria-label": "Category to merge into" }, ...options(others(id)));
  const merging = make("form", { onsubmit: (event) => {
    event.preventDefault();
    into.blur();
    if (into.value) merge(id, Number(into.value));
  } }, make("button", { textContent: "Merge into", disabled: !into.options.length }), into);
  const background = make("button", { type: "button", id: "to-background", textContent: "It is background", onclick: () => page.keys.b() });
  const split = make("button", { type: "button", id: "split-it", textContent: "Split in two", disabled: page.view.sizes[id] < 2, onclick: () => page.keys.s() });
  box.append(naming, merging, background, split);
});

page.hooks.list.push(() => {
  const { edits } = page.data;
  const back = (id, what) => make("li", {}, make("button", { type: "button", title: `bring ${page.view.name(id)} back`, "data-restore": String(id), onclick: () => send({ do: "restore", category: id }, `“${page.view.name(id)}” is a category of its own again.`) }, make("span", { className: "called", textContent: `${page.view.name(id)}: ${what}` }), make("span", { className: "number", textContent: "bring back" })));
  const merged = Object.entries(edits.merged).map(([id, to]) => back(Number(id), `in ${page.view.name(to)}`));
  $("gone").replaceChildren(...edits.background.map((id) => back(id, "background")), ...merged);
});

page.hooks.viewed.push((image) => {
  const to = make("select", { id: "move-to", "aria-label": "Category to move the image to" }, ...options(page.view.order.filter((id) => id !== image.category)));
  const form = make("form", { onsubmit: (event) => {
    event.preventDefault();
    if (to.value) send({ do: "move", images: [image.r], into: Number(to.value) }, `The image is “${page.view.name(Number(to.value))}” now.`);
  } }, make("button", { textContent: "Move to", disabled: !to.options.length }), to);
  $("move").replaceChildren(form);
});

// All that were chosen on the map and are listed
page.hooks.shown.push(() => {
  if (!page.choice.on || !page.images.length) return $("picked").replaceChildren();
  const rows = page.images.map((image) => image.r);
  const to = make("select", { id: "picked-to", "aria-label": "Category to move these images to" }, ...options(page.view.order));
  const form = make("form", { onsubmit: (event) => {
    event.preventDefault();
    send({ do: "move", images: rows, into: Number(to.value) }, `${luss.count(rows.length, "image")} moved to “${page.view.name(Number(to.value))}”.`);
  } }, make("button", { textContent: `Move ${rows.length === 1 ? "this image" : `these ${luss.count(rows.length, "image")}`} to`, disabled: !to.options.length }), to);
  return $("picked").replaceChildren(form);
});

// Keys

const chosen = () => page.choice.category;
const within = (id) => {
  if (!chosen()) return tell("Choose a category first: its number, or the list.", true);
  $(id).focus();
  return $(id).select && $(id).select();
};
page.keys.n = () => within("rename");
page.keys.m = () => within("merge-into");
page.keys.u = () => undoButton && !undoButton.disabled && undoButton.click();
page.keys.b = () => chosen() && send({ do: "background", category: chosen() }, `“${page.view.name(chosen())}” is background now.`);
page.keys.s = () => chosen() && send({ do: "split", category: chosen() }, `“${page.view.name(chosen())}” is split: the smaller part is a category of its own.`);
page.keys.v = () => ($("viewer").open ? $("move-to").focus() : $("picked-to") && $("picked-to").focus());
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !event.target.closest("input[type=text], input[type=search]")) {
    event.preventDefault();
    page.keys.u();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.closest("#actions")) event.target.blur();
});

tell(page.data.notice || "Everything that you change is saved at once and can be undone.");
page.refresh();
