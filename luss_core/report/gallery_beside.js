// Other runs of the same images, where `snakemake align` set them side by side: the order by disagreement of seeds, and
// the masks of another run beside those of this one, in the colours of the categories here that mean the same.
"use strict";
const ALIGNED = "../../../../align/"; // from report/gallery of a run
const MAKE = "run `snakemake align` again, or the command that made the runs";

// The content of a file on the disk, which sends it as a message; null where the file is not there.
page.load ??= (name) =>
  new Promise((resolve) => {
    const frame = make("iframe", { src: ALIGNED + name, hidden: true, title: "what other runs found" });
    const take = (event) => event.source === frame.contentWindow && event.data && done(event.data.aligned || null);
    const done = (value) => {
      window.removeEventListener("message", take);
      frame.remove();
      resolve(value);
    };
    window.addEventListener("message", take);
    frame.addEventListener("load", () => setTimeout(() => done(null), 300)); // it would have sent it by now
    document.body.append(frame);
  });

const said = (text) => {
  $("beside-said").textContent = text;
  $("beside-said").hidden = !text;
};
const other = { at: null, masks: {}, meaning: [] }; // the run beside this one

// A category of the other run as it is called and coloured here.
const here = (id) => {
  const meant = other.meaning[id] || 0;
  if (!meant) return { colour: "#8a8a8a", name: `none of these (${other.at.names[id] || id} there)` };
  const shown = page.view.table[meant];
  return shown ? { colour: page.view.colour(shown), name: page.view.name(shown) } : { colour: null, name: "background" };
};
const chip = (colour) => {
  const element = make("span", { className: "swatch" });
  element.style.background = colour || "transparent";
  return element;
};
page.beside = (image) => {
  if (!other.at) return null;
  const [label, content] = other.masks[image.r] || [0, null];
  const ids = (content ? content[0] : []).filter((id) => id && id !== luss.IGNORED);
  const names = [...new Set(ids.map((id) => here(id).name))];
  return {
    mask: content && luss.painted(content[1], content[0], (id) => here(id).colour),
    alt: names.length ? `found in ${other.at.title}: ${names.join(", ")}` : `nothing found in ${other.at.title}`,
    caption: () => (label ? [chip(here(label).colour), make("span", { textContent: here(label).name })] : [chip(), make("span", { textContent: "no category" })]),
    chips: () => (names.length ? ids.flatMap((id) => [chip(here(id).colour), ` ${here(id).name}   `]) : [content ? "No object was found in it." : "It has no mask there."]),
  };
};
page.hooks.viewed.push((image) => {
  const found = page.beside(image);
  $("stage-beside").hidden = !found;
  $("parts-beside").hidden = !found;
  $("titles").hidden = !found;
  if (!found) return;
  $("title-beside").textContent = other.at.title;
  Object.assign($("big-beside"), { src: page.photo(image), alt: `image ${image.n}` });
  $("mask-beside").hidden = !found.mask;
  if (found.mask) Object.assign($("mask-beside"), { src: found.mask, alt: found.alt });
  $("parts-beside").replaceChildren(make("span", { className: "note", textContent: `${other.at.title}: ` }), ...found.chips());
});

const choosing = async (runs, name) => {
  const at = runs.runs.findIndex((run) => run.name === name);
  const own = runs.runs.findIndex((run) => run.name === page.data.run);
  other.at = null;
  said("");
  if (at >= 0) {
    said("Loading …");
    const content = await page.load(`${at}.html`);
    if (page.choice.beside !== name) return; // another one was chosen meanwhile
    if (!content || content.about.run !== name || content.about.clustering !== runs.runs[at].clustering) {
      said(`The masks of ${luss.runTitle(runs.runs[at])} are not there any more: ${MAKE}.`);
    } else {
      Object.assign(other, { at: { ...runs.runs[at], title: luss.runTitle(runs.runs[at]) }, masks: content.found, meaning: luss.meaning(runs.partners, own, at) });
      said(`On the right is what ${other.at.title} found, in the colours of the categories here that mean the same; gray is what has no like here. Corrections of that run are not shown.`);
    }
  }
  grid.classList.toggle("two", Boolean(other.at));
  $("viewer").classList.toggle("two", Boolean(other.at));
  page.refresh(true);
};

const begin = (runs) => {
  if (!runs || !Array.isArray(runs.runs)) return;
  const own = runs.runs.find((run) => run.name === page.data.run);
  if (!own) return;
  if (own.clustering !== page.data.clustering) {
    said(`This run was made anew since it was set beside others: ${MAKE}.`);
    return;
  }
  const apart = runs.apart[own.preset];
  if (apart) {
    const at = new Map(runs.rows.map((row, k) => [row, apart[k]]));
    for (const image of page.data.images) image.apart = at.get(image.r) ?? null;
    $("sort").append(make("option", { value: "apart", textContent: luss.orders.apart[0] }));
    $("sure").append(make("option", { value: "apart", textContent: "where seeds disagree most" }));
    page.keys.r = () => page.choose({ sort: "apart" });
    $("key-apart").hidden = false;
    page.about();
  }
  const rest = runs.runs.filter((run) => run !== own);
  $("beside").append(...rest.map((run) => make("option", { value: run.name, textContent: luss.runTitle(run) })));
  $("beside-label").hidden = !rest.length;
  $("beside").addEventListener("change", (event) => {
    page.choose({ beside: event.target.value });
    choosing(runs, event.target.value);
  });
  const wanted = page.asked.get("beside");
  const change = {};
  if (apart && page.asked.get("sort") === "apart") change.sort = "apart";
  if (apart && page.asked.get("sure") === "apart") change.sure = "apart";
  if (rest.some((run) => run.name === wanted)) change.beside = $("beside").value = wanted;
  if (Object.keys(change).length) page.choose(change);
  if (change.beside) choosing(runs, change.beside);
};
page.load("runs.html").then(begin);
