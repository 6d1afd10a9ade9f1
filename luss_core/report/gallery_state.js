// What is shown of what was found: the corrections of people applied to categories, images and their order. Touches no
// page, so that every number of it follows from `data`, which gallery_data.py makes, and from the choice of the person.
"use strict";
const luss = {};

// The category that is shown for each id that was found; 0 for background.
luss.table = (edits, total) => {
  const found = [0];
  for (let id = 1; id <= total; id += 1) {
    let end = id;
    for (let steps = 0; edits.merged[end] && steps <= total; steps += 1) end = edits.merged[end];
    found.push(edits.background.includes(end) ? 0 : end);
  }
  return found;
};

// What a person sees of `data`: call it again when the corrections are others.
luss.apply = (data) => {
  const edits = data.edits;
  const table = luss.table(edits, data.categories.length);
  const categories = data.categories.map((category) => ({ ...category, name: edits.names[category.id] || category.name }));
  const sizes = table.map(() => 0);
  for (const image of data.images) {
    const moved = edits.moved[image.n] || {};
    const shown = (id) => table[moved[id] || id];
    const shares = new Map();
    for (const [id, share] of image.a || []) if (shown(id)) shares.set(shown(id), (shares.get(shown(id)) || 0) + share);
    image.look = [data.categories.length, ...(image.a || []).map(([id]) => shown(id))].join("-");
    image.parts = [...shares].sort((a, b) => b[1] - a[1]);
    image.category = (image.k && shown(image.k)) || (image.parts.length ? image.parts[0][0] : 0);
    Object.assign(image, luss.nearness(image, table), { apart: image.apart ?? null });
    sizes[image.category] += 1;
  }
  const ids = table.filter((shown, id) => id && shown === id);
  const order = ids.slice().sort((a, b) => sizes[b] - sizes[a] || a - b);
  const near = (id) => {
    const own = categories[id - 1].near.map((other) => table[other]).filter((other) => other && other !== id);
    return [...new Set(own)];
  };
  return { table, categories, sizes, order, near, colour: (id) => categories[id - 1].colour, name: (id) => luss.name(categories, id) };
};

luss.name = (categories, id) => (id ? categories[id - 1].name : "no category");

// How far an image is from its category, and how sure that is: 1 where no other category is as near by far, 0 where
// another one is just as near. Without features: the share of its objects that is of its category.
luss.nearness = (image, table) => {
  const all = image.parts.reduce((sum, part) => sum + part[1], 0);
  const purity = all ? image.parts.filter((part) => part[0] === image.category).reduce((sum, part) => sum + part[1], 0) / all : 0;
  if (!image.t || !image.category) return { far: 1 - purity, sure: purity, other: image.parts.length > 1 ? image.parts[1][0] : 0 };
  const own = image.t.find(([id]) => table[id] === image.category);
  const other = image.t.find(([id]) => table[id] && table[id] !== image.category);
  const far = own ? own[1] : image.t[image.t.length - 1][1];
  if (!own) return { far, sure: 1, other: other ? other[0] : 0 }; // a person said what it is
  if (!other) return { far, sure: 1, other: 0 };
  return { far, sure: Math.max(0, 1 - far / Math.max(other[1], 1e-9)), other: table[other[0]] };
};

luss.orders = {
  name: ["by name", (a, b) => a.r - b.r],
  typical: ["most typical first", (a, b) => a.far - b.far || a.r - b.r],
  doubtful: ["most doubtful first", (a, b) => a.sure - b.sure || a.r - b.r],
  farthest: ["farthest first", (a, b) => b.far - a.far || a.r - b.r],
  apart: ["where seeds disagree first", (a, b) => b.apart - a.apart || a.r - b.r],
};

// The images of a choice: { category (null for all), parts, sort, sure, split, text, on (a set of rows on the map) }.
luss.choose = (data, choice) => {
  const limits = luss.quarters(data.images.map((image) => (choice.sure === "apart" ? image.apart : image.sure)));
  const fitting = {
    all: () => true,
    low: (image) => image.sure <= limits.low,
    high: (image) => image.sure >= limits.high,
    apart: (image) => image.apart > 0 && image.apart >= limits.high,
  };
  const words = choice.text.toLowerCase();
  const fits = (image) =>
    (choice.category === null || image.category === choice.category ||
      (choice.parts && image.parts.some(([id]) => id === choice.category))) &&
    fitting[choice.sure](image) &&
    (!choice.split || image.n.startsWith(`${choice.split}/`)) &&
    (!words || image.n.toLowerCase().includes(words)) &&
    (!choice.on || choice.on.has(image.r));
  return data.images.filter(fits).sort(luss.orders[choice.sort][1]);
};

// Below and above which the least and the greatest quarter of the numbers are.
luss.quarters = (numbers) => {
  const sorted = numbers.slice().sort((a, b) => a - b);
  const quarter = Math.floor(sorted.length / 4);
  return { low: sorted[Math.max(0, quarter - 1)], high: sorted[sorted.length - Math.max(1, quarter)] };
};

// Why some of the images have no mask, and what to do: sentences, none where all have one.
luss.unmasked = (data, images) => {
  const part = (image) => image.n.split("/")[0];
  const bare = images.filter((image) => !image.a);
  if (!bare.length) return [];
  const parts = [...new Set(data.images.map(part))];
  const segmented = parts.filter((one) => data.images.some((image) => image.a && part(image) === one));
  const left = [...new Set(bare.map(part))].filter((one) => !segmented.includes(one));
  const number = images.length === 1 ? "It has no mask" : `${bare.length.toLocaleString("en")} of these images ${bare.length === 1 ? "has" : "have"} no mask`;
  if (!segmented.length) return [`${number}: the stage infer painted none in this run. Run it again, and then the report.`];
  if (!left.length) return [`${number}, though others of the same part have one: run the stage infer again, and then the report.`];
  const all = parts.filter((one) => segmented.includes(one) || left.includes(one)).join(", ");
  return [`${number}: only the ${segmented.join(" and ")} images were segmented; from the ${left.join(" and ")} images the run only learned.`, `To see their masks too, write infer: {splits: [${all}]} into your settings and run again; no training is repeated.`];
};

luss.percent = (share) => `${share > 0 && share < 0.0995 ? (100 * share).toFixed(1) : Math.round(100 * share)}\u00a0%`;
luss.whole = (share) => `${Math.round(100 * share)}\u00a0%`;
luss.count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
