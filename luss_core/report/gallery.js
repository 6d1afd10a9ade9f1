// The gallery: lists categories, shows images of a choice in steps as they come into view, and one of them large. The
// choice stands behind # in the address, so that it survives a reload. Map, other run and studio hook into luss.page.
"use strict";
const page = (luss.page = {
  data: JSON.parse(document.getElementById("data").textContent),
  choice: { category: null, parts: false, sort: "name", sure: "all", split: "", text: "", on: null, beside: "" },
  view: null,
  images: [],
  seen: null, // the image that is seen large
  hooks: { about: [], viewed: [], list: [], shown: [] }, // what else happens when these parts of the page are shown
  beside: () => null, // the other run: what it found in an image, as a picture, its text and what a caption says
  photo: (image) => `photo/${image.r}.jpg`,
  mask: (image) => `mask/${image.r}.png`,
});
const $ = (id) => document.getElementById(id);
const STEP = 42; // a screen, and some more

const make = (page.make = (tag, settings, ...children) => {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(settings || {})) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && key !== "list") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
});
const swatch = (id) => {
  const chip = make("span", { className: "swatch" });
  chip.style.background = id ? page.view.colour(id) : "transparent";
  return chip;
};
const hook = (name, value) => page.hooks[name].forEach((one) => one(value));
const share = (parts) => parts.map(([id, part]) => `${page.view.name(id)} ${luss.percent(part)}`).join(", ");

// Categories

page.listed = () => [...page.view.order, ...(page.view.sizes[0] ? [0] : [])];
const listCategories = () => {
  const button = (id, name, number) => {
    const chosen = page.choice.category === id;
    const parts = [make("span", { className: "called", textContent: name }), make("span", { className: "number", textContent: number.toLocaleString("en") })];
    if (id !== null) parts.unshift(swatch(id));
    return make("li", {}, make("button", { type: "button", "aria-pressed": String(chosen), title: name, "data-category": String(id), onclick: () => choose({ category: id }) }, ...parts));
  };
  const all = button(null, "all images", page.data.images.length);
  $("list").replaceChildren(all, ...page.listed().map((id) => button(id, page.view.name(id), page.view.sizes[id])));
};

const about = (page.about = () => {
  const { category } = page.choice;
  const { view, data } = page;
  $("heading").replaceChildren(...(category ? [swatch(category)] : []), category === null ? "All images" : view.name(category));
  const some = data.images.length < data.total ? ` Shown are ${data.images.length.toLocaleString("en")} of them, evenly chosen.` : "";
  if (category === null) {
    $("facts").textContent = `${luss.count(data.total, "image")} in ${view.order.length} ${view.order.length === 1 ? "category" : "categories"}.${some}`;
    $("near").replaceChildren();
  } else if (!category) {
    $("facts").textContent = `${luss.count(view.sizes[0], "image")} in which no category was found.`;
    $("near").replaceChildren();
  } else {
    const merged = data.categories.filter((one) => one.id !== category && view.table[one.id] === category).map((one) => view.name(one.id));
    $("facts").textContent = `${luss.count(view.sizes[category], "image")}, ${luss.percent(view.sizes[category] / Math.max(1, data.images.length))} of all.${merged.length ? ` Holds what was ${merged.join(", ")}.` : ""}`;
    const near = view.near(category).map((id) => make("button", { type: "button", onclick: () => choose({ category: id }) }, swatch(id), ` ${view.name(id)}`));
    $("near").replaceChildren(...(near.length ? [make("span", { className: "note", textContent: "Near: " }), ...near] : []));
  }
  $("ways").replaceChildren(...(category ? Object.keys(luss.orders).filter((key) => key !== "name").map(way).filter(Boolean) : []));
  hook("about", category);
});
// The first images of the category in one order; a click lists all in that order.
const way = (key) => {
  const [name, order] = luss.orders[key];
  const first = page.data.images.filter((image) => image.category === page.choice.category).sort(order).slice(0, 5);
  if (!first.length || (key === "apart" && !first[0].apart)) return null;
  const mini = (image) => make("button", { type: "button", className: "mini", title: image.n, onclick: () => {
    choose({ sort: key, sure: "all", split: "", text: "", on: null });
    page.open(image);
  } }, make("img", { src: page.photo(image), loading: "lazy", alt: `image ${image.n}` }));
  const head = make("button", { type: "button", className: "pill", textContent: name, "aria-pressed": String(page.choice.sort === key), onclick: () => choose({ sort: key }) });
  return make("div", { className: "way" }, head, ...first.map(mini));
};

// Images

const found = (image) => (image.parts.length ? `found: ${share(image.parts)}` : "nothing found");
const pictures = (image, mask, alt) => {
  const layers = [make("img", { src: page.photo(image), loading: "lazy", decoding: "async", alt: `image ${image.n}` })];
  layers.push(mask ? make("img", { src: mask, loading: "lazy", decoding: "async", alt }) : make("span", { className: "tag", textContent: "no mask" }));
  return make("span", { className: "pictures" }, ...layers);
};
const tile = (image, place) => {
  const other = page.beside(image);
  const apart = page.choice.sort === "apart" || page.choice.sure === "apart";
  const number = apart ? luss.whole(image.apart) : image.category ? luss.whole(image.sure) : "";
  const caption = make("span", { className: "caption" }, swatch(image.category), make("span", { textContent: page.view.name(image.category) }), make("small", { textContent: number, title: apart ? "of what seeds found here is something else in another seed" : "confidence" }));
  const both = [make("span", { className: "run" }, pictures(image, image.a && page.mask(image), found(image)), caption)];
  if (other) both.push(make("span", { className: "run" }, pictures(image, other.mask, other.alt), make("span", { className: "caption" }, ...other.caption())));
  const button = make("button", { type: "button", className: "tile", tabIndex: place ? -1 : 0, title: image.n, "data-row": String(image.r), onclick: () => open(place), onfocus: () => rove(place) }, ...both);
  return make("li", {}, button);
};
const grid = $("grid");
const tiles = () => grid.getElementsByClassName("tile");
let at = 0; // the tile that Tab leads to
const rove = (place) => {
  if (tiles()[at]) tiles()[at].tabIndex = -1;
  at = place;
  if (tiles()[at]) tiles()[at].tabIndex = 0;
};
const more = (until = grid.children.length + STEP) => {
  const next = page.images.slice(grid.children.length, until);
  grid.append(...next.map((image, k) => tile(image, grid.children.length + k)));
};
const focusTile = (place) => {
  const target = Math.max(0, Math.min(page.images.length - 1, place));
  if (target >= grid.children.length) more(target + STEP);
  if (tiles()[target]) tiles()[target].focus();
};
const showImages = (keep) => {
  page.images = luss.choose(page.data, page.choice);
  const count = keep ? Math.max(STEP, grid.children.length) : STEP;
  const focused = keep && document.activeElement && document.activeElement.dataset.row;
  at = 0;
  grid.replaceChildren();
  more(count);
  if (focused) {
    const again = [...tiles()].findIndex((one) => one.dataset.row === focused);
    if (again >= 0) focusTile(again);
  }
  const on = page.choice.on ? ", of those chosen on the map" : "";
  $("result").textContent = page.images.length ? `${luss.count(page.images.length, "image")}${on}` : "No image fits. Choose another category, or show all.";
  $("unmasked").textContent = luss.unmasked(page.data, page.images).join(" ");
  hook("shown");
};
new IntersectionObserver((found) => found.some((one) => one.isIntersecting) && more(), { rootMargin: "900px" }).observe($("more"));

// One image, large

const open = (place) => {
  page.seen = page.images[place];
  if (!page.seen) return;
  const image = page.seen;
  $("viewed").textContent = image.n;
  $("stages").style.setProperty("--ratio", image.w / image.h);
  Object.assign($("big"), { src: page.photo(image), alt: `image ${image.n}` });
  $("big-mask").hidden = !image.a;
  if (image.a) Object.assign($("big-mask"), { src: page.mask(image), alt: found(image) });
  const chips = image.parts.flatMap(([id, part]) => [swatch(id), ` ${page.view.name(id)} ${luss.percent(part)}   `]);
  $("parts-of").replaceChildren(...(image.a ? (chips.length ? chips : ["No object was found in it."]) : [luss.unmasked(page.data, [image]).join(" ")]));
  const other = image.other ? `; the next one would be ${page.view.name(image.other)}` : "";
  const seeds = image.apart === null ? "" : ` Of what the seeds found in it, ${luss.whole(image.apart)} is something else in another seed.`;
  $("sureness").textContent = (image.category ? `Category: ${page.view.name(image.category)}; confidence ${luss.whole(image.sure)}${other}.` : "It has no category.") + seeds;
  $("before").disabled = place === 0;
  $("after").disabled = place === page.images.length - 1;
  hook("viewed", image);
  if (!$("viewer").open) $("viewer").showModal();
};
page.open = (image) => open(page.images.indexOf(image));
const step = (by) => {
  const place = page.images.indexOf(page.seen) + by;
  if (page.images[place]) open(place);
};
$("before").addEventListener("click", () => step(-1));
$("after").addEventListener("click", () => step(1));
$("viewer").addEventListener("close", () => focusTile(page.images.indexOf(page.seen)));
$("wipe").addEventListener("input", (event) => $("stages").style.setProperty("--wipe", `${event.target.value}%`));
const overlay = (value) => {
  document.documentElement.style.setProperty("--overlay", value / 100);
  for (const id of ["overlay", "overlay-big"]) $(id).value = value;
};
for (const id of ["overlay", "overlay-big"]) $(id).addEventListener("input", (event) => overlay(event.target.value));

// The choice

const choose = (page.choose = (change) => {
  Object.assign(page.choice, change);
  const { category, parts, sort, sure, split, text, beside } = page.choice;
  const words = new URLSearchParams(Object.entries({ category: category ?? "", parts: parts ? 1 : "", sort: sort === "name" ? "" : sort, sure: sure === "all" ? "" : sure, split, text, beside }).filter(([, value]) => value !== ""));
  history.replaceState(null, "", `#${words}`);
  page.refresh();
});
page.refresh = (keep = false) => {
  const { choice } = page;
  if (choice.category && page.view.table[choice.category] !== choice.category) choice.category = page.view.table[choice.category] || null;
  for (const id of ["sort", "sure", "split", "text"]) $(id).value = choice[id];
  $("parts").checked = choice.parts;
  listCategories();
  about();
  showImages(keep);
  hook("list");
  if (keep && $("viewer").open) {
    const place = page.images.indexOf(page.seen);
    if (place >= 0) open(place);
    else $("viewer").close();
  }
};
// Corrections that changed: everything is shown anew, but the place in the page stays.
page.update = (data) => {
  Object.assign(page.data, data);
  page.view = luss.apply(page.data);
  page.refresh(true);
};

for (const [key, [name]] of Object.entries(luss.orders)) if (key !== "apart") $("sort").append(make("option", { value: key, textContent: name }));
const splits = [...new Set(page.data.images.map((image) => image.n.split("/")[0]))];
$("split").append(make("option", { value: "", textContent: "all" }), ...splits.map((split) => make("option", { value: split, textContent: split })));
$("split-label").hidden = splits.length < 2;
for (const id of ["sort", "sure", "split"]) $(id).addEventListener("change", (event) => choose({ [id]: event.target.value }));
$("text").addEventListener("input", (event) => choose({ text: event.target.value }));
$("parts").addEventListener("change", (event) => choose({ parts: event.target.checked }));
$("tools").addEventListener("submit", (event) => event.preventDefault());
$("help-button").addEventListener("click", () => $("help").showModal());

// Keys

page.keys = { t: () => choose({ sort: "typical" }), d: () => choose({ sort: "doubtful" }), f: () => choose({ sort: "farthest" }), "?": () => $("help").showModal() };
page.keys.o = () => overlay(Number($("overlay").value) ? 0 : 70);
const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("input[type=text], input[type=search], select, textarea");
  if (writing || event.ctrlKey || event.metaKey || event.altKey) return;
  const sliding = event.target.closest("input[type=range]");
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() };
  if (event.key in moves && !sliding) {
    if ($("viewer").open) step(Math.sign(moves[event.key]));
    else if ($("help").open || event.target.closest("#categories, #about, #tools, #map")) return;
    else if (event.target.classList.contains("tile")) focusTile(at + moves[event.key]);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") focusTile(at);
    else return;
    event.preventDefault();
  } else if (/^[0-9]$/.test(event.key) && !$("viewer").open && !$("help").open) {
    const id = event.key === "0" ? null : page.listed()[event.key - 1];
    if (id !== undefined) choose({ category: id });
  } else if (page.keys[event.key] && !$("help").open) {
    page.keys[event.key]();
    event.preventDefault();
  }
});

page.view = luss.apply(page.data);
const asked = (page.asked = new URLSearchParams(location.hash.slice(1)));
const known = (key, allowed, otherwise) => (allowed.includes(asked.get(key)) ? asked.get(key) : otherwise);
page.choice.category = asked.has("category") && page.view.table[asked.get("category")] !== undefined ? Number(asked.get("category")) : null;
Object.assign(page.choice, { parts: asked.has("parts"), text: asked.get("text") || "", sort: known("sort", ["typical", "doubtful", "farthest"], "name") });
Object.assign(page.choice, { sure: known("sure", ["low", "high"], "all"), split: known("split", splits, "") });
page.refresh();
