// Two runs: which categories mean the same, in which colours the masks of the other run are shown, and what a line drawn
// on the map holds. Touches no page.
"use strict";

luss.runTitle = (run) => `${run.preset}, seed ${run.seed}`;

// The category of run `own` that each category of run `other` means, from `partners` of runs.html; 0 for none.
luss.meaning = (partners, own, other) => {
  for (const [one, two, of] of partners) {
    if (one === other && two === own) return of;
    if (one !== own || two !== other) continue;
    const back = [];
    of.forEach((to, from) => { if (to) back[to] = from; });
    return Array.from(back, (from) => from || 0);
  }
  return [];
};

luss.IGNORED = 1000;
// Red, green, blue and opacity of what is no object, as in pictures.py.
const VEIL = [24, 26, 30, 130];
const PALE = [200, 200, 200, 150];

// A PNG with a palette, in other colours. `ids` of the entries; those behind them are their outlines. `colour` gives
// "#rrggbb", or null for what is background.
luss.painted = (base64, ids, colour) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const entry = (id, outline) => {
    if (id === luss.IGNORED) return PALE;
    const shown = id && colour(id);
    if (!shown) return VEIL;
    const levels = [1, 3, 5].map((at) => parseInt(shown.slice(at, at + 2), 16));
    return outline ? [...levels.map((level) => level + Math.floor((255 - level) / 3)), 255] : [...levels, 130];
  };
  const entries = [...ids.map((id) => entry(id, false)), ...ids.map((id) => entry(id, true))];
  luss.chunks(bytes, { PLTE: entries.flatMap((one) => one.slice(0, 3)), tRNS: entries.map((one) => one[3]) });
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return `data:image/png;base64,${btoa(text)}`;
};

// Writes other content into chunks of a PNG, in place; what is longer than the chunk is cut off.
luss.chunks = (bytes, contents) => {
  const view = new DataView(bytes.buffer);
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    const length = view.getUint32(at);
    const content = contents[String.fromCharCode(...bytes.subarray(at + 4, at + 8))];
    if (!content) continue;
    bytes.set(content.slice(0, length), at + 8);
    view.setUint32(at + 8 + length, luss.crc(bytes.subarray(at + 4, at + 8 + length)));
  }
};

// CRC-32 of ISO 3309, as in PNG.
luss.crc = (bytes) => {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
};

// Whether a point is inside a closed line of [x, y]: a ray to the right crosses it an odd number of times.
luss.inside = (line, [x, y]) => {
  let within = false;
  line.forEach(([ax, ay], k) => {
    const [bx, by] = line[(k + 1) % line.length];
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) within = !within;
  });
  return within;
};

// A closed line around a point.
luss.circle = ([x, y], radius) => Array.from({ length: 48 }, (_, k) => [x + radius * Math.cos((k * Math.PI) / 24), y + radius * Math.sin((k * Math.PI) / 24)]);
