// The map: images that look alike lie near each other. A line drawn around some lists only these; by keys a circle does.
"use strict";
const canvas = $("dots");
const mapped = page.data.images.filter((image) => image.p);
const spot = (image) => [12 + image.p[0] * (canvas.clientWidth - 24), 12 + (1 - image.p[1]) * (canvas.clientHeight - 24)];
const THUMB = 46; // pixels of the longer side
const ROOM = 52; // that one thumbnail has for itself
const thumbs = new Map(); // pictures by row
let line = null; // what is being drawn: [x, y] in pixels of the map
let circle = null; // { x, y, radius } of the keys

const shownOnMap = (image) => {
  const { category, on } = page.choice;
  return (category === null || image.category === category) && (!on || on.has(image.r));
};
const held = (outline) => mapped.filter((image) => luss.inside(outline, spot(image)));
const outlined = () => line || (circle && luss.circle([circle.x, circle.y], circle.radius));

let waiting = false;
const drawSoon = () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    drawMap();
  });
};
// As many images as there is room for without one hiding another; those that are listed go first.
const chosenThumbs = () => {
  const taken = [];
  for (const first of [true, false]) {
    for (const image of mapped) {
      if (shownOnMap(image) !== first) continue;
      const [x, y] = spot(image);
      if (taken.every(([ax, ay]) => Math.abs(ax - x) >= ROOM || Math.abs(ay - y) >= ROOM)) taken.push([x, y, image]);
    }
  }
  return taken.map(([, , image]) => image);
};
const drawThumb = (pen, image) => {
  let picture = thumbs.get(image.r);
  if (!picture) {
    picture = make("img", { src: page.photo(image), onload: drawSoon });
    thumbs.set(image.r, picture);
  }
  if (!picture.complete || !picture.naturalWidth) return;
  const scale = THUMB / Math.max(picture.naturalWidth, picture.naturalHeight);
  const [width, height] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
  const [x, y] = spot(image);
  const left = Math.max(2, Math.min(canvas.clientWidth - width - 2, x - width / 2));
  const top = Math.max(2, Math.min(canvas.clientHeight - height - 2, y - height / 2));
  pen.fillRect(left - 2, top - 2, width + 4, height + 4);
  pen.drawImage(picture, left, top, width, height);
};
const drawMap = () => {
  if ($("map").hidden) return;
  const scale = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [canvas.clientWidth * scale, canvas.clientHeight * scale];
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const paint = (image) => {
    pen.globalAlpha = shownOnMap(image) ? 0.9 : 0.12;
    pen.fillStyle = image.category ? page.view.colour(image.category) : "#888";
  };
  for (const image of mapped) {
    paint(image);
    pen.beginPath();
    pen.arc(...spot(image), 4, 0, 7);
    pen.fill();
  }
  for (const image of $("map-thumbs").checked ? chosenThumbs() : []) {
    paint(image);
    drawThumb(pen, image);
  }
  pen.globalAlpha = 1;
  const outline = outlined();
  if (!outline) return;
  pen.beginPath();
  outline.forEach((point) => pen.lineTo(...point));
  if (!line) pen.closePath();
  for (const [colour, width] of [["#000", 5], ["#fff", 2]]) Object.assign(pen, { strokeStyle: colour, lineWidth: width }) && pen.stroke();
};
const listHeld = (outline, add) => {
  const rows = held(outline).map((image) => image.r);
  $("map-said").textContent = rows.length ? `${luss.count(rows.length, "image")} inside.` : "No image is inside.";
  if (rows.length) page.choose({ on: new Set([...(add && page.choice.on ? page.choice.on : []), ...rows]) });
  else drawMap();
};

// By mouse, pen or finger

const nearestDot = (x, y) => {
  const apart = (image) => Math.hypot(spot(image)[0] - x, spot(image)[1] - y);
  const best = mapped.reduce((one, other) => (apart(other) < apart(one) ? other : one));
  return apart(best) < 14 ? best : null;
};
canvas.addEventListener("pointerdown", (event) => {
  line = [[event.offsetX, event.offsetY]];
  circle = null;
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  const under = line ? null : nearestDot(event.offsetX, event.offsetY);
  $("preview").hidden = !under;
  if (under) Object.assign($("preview"), { src: page.photo(under) });
  Object.assign($("preview").style, { left: `${Math.min(event.offsetX + 14, canvas.clientWidth - 120)}px`, top: `${event.offsetY + 14}px` });
  if (!line) return;
  line.push([event.offsetX, event.offsetY]);
  drawSoon();
});
canvas.addEventListener("pointercancel", () => {
  line = null;
  drawMap();
});
canvas.addEventListener("pointerup", (event) => {
  if (!line) return; // pressed elsewhere
  const drawn = line;
  line = null;
  const [x, y] = drawn[0];
  if (drawn.some((point) => Math.hypot(point[0] - x, point[1] - y) > 8)) return listHeld(drawn, event.shiftKey);
  drawMap();
  const under = nearestDot(x, y);
  if (!under) return;
  if (!page.images.includes(under)) page.choose({ category: null, on: null, text: "", sure: "all", split: "" });
  page.open(under);
});
canvas.addEventListener("pointerleave", () => ($("preview").hidden = true));

// By keys

const turn = (change) => {
  if (!circle) {
    const middle = (image) => Math.hypot(image.p[0] - 0.5, image.p[1] - 0.5);
    const [x, y] = spot(mapped.reduce((one, next) => (middle(next) < middle(one) ? next : one)));
    circle = { x, y, radius: 50 };
  }
  circle.x = Math.max(0, Math.min(canvas.clientWidth, circle.x + (change.x || 0)));
  circle.y = Math.max(0, Math.min(canvas.clientHeight, circle.y + (change.y || 0)));
  circle.radius = Math.max(8, Math.min(canvas.clientWidth, circle.radius * (change.by || 1)));
  $("map-said").textContent = `${luss.count(held(outlined()).length, "image")} in the circle; Enter lists ${held(outlined()).length === 1 ? "it" : "them"}.`;
  drawMap();
};
const turns = { ArrowLeft: { x: -16 }, ArrowRight: { x: 16 }, ArrowUp: { y: -16 }, ArrowDown: { y: 16 }, "+": { by: 1.25 }, "-": { by: 0.8 } };
canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in turns) turn(turns[event.key]);
  else if (event.key === "Enter" && circle) listHeld(outlined(), event.shiftKey);
  else if (event.key === "Enter") turn({});
  else if (event.key === "Escape") {
    circle = null;
    $("map-said").textContent = "";
    page.choose({ on: null });
  } else return;
  event.preventDefault();
  event.stopPropagation();
});
canvas.addEventListener("blur", () => {
  circle = null;
  drawMap();
});

page.hooks.shown.push(() => {
  $("map-clear").hidden = !page.choice.on;
  drawMap();
});
$("map-clear").addEventListener("click", () => page.choose({ on: null }));
$("map-thumbs").addEventListener("change", drawMap);
$("map-button").hidden = !mapped.length;
$("map-button").addEventListener("click", () => {
  $("map").hidden = !$("map").hidden;
  $("map-button").setAttribute("aria-expanded", String(!$("map").hidden));
  drawMap();
});
new ResizeObserver(drawMap).observe(canvas);
