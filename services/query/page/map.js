// A map that needs no internet: where devices are on a grid of degrees, by the age of their data.
export const AGING_MS = 60000, OLD_MS = 300000;
export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const $ = (id) => document.getElementById(id);

export function drawMap(state) {
  const canvas = $("map"), ratio = devicePixelRatio || 1, places = [...state.places.values()];
  canvas.hidden = !places.length;
  const [wide, high] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = wide * ratio; canvas.height = high * ratio;
  const pen = canvas.getContext("2d"); pen.scale(ratio, ratio);
  const devices = new Set([...state.latest.values()].map((row) => row.device_id));
  const missing = [...devices].filter((name) => !state.places.has(name)).length;
  canvas.dataset.drawn = places.length;
  $("unplaced").textContent = missing ? `${missing} of ${devices.size} devices have no place` : "";
  if (!places.length) return;
  const range = (name, least) => {
    const all = places.map((place) => place[name]), low = Math.min(...all), top = Math.max(...all);
    const half = Math.max(top - low, least) * 0.6; return [(low + top) / 2 - half, (low + top) / 2 + half];
  };
  const lat = range("lat", 0.002), lng = range("lng", 0.002);
  const squeeze = Math.max(0.05, Math.cos(((lat[0] + lat[1]) / 2) * Math.PI / 180));
  const scale = Math.min(wide / ((lng[1] - lng[0]) * squeeze), high / (lat[1] - lat[0]));
  const x = (at) => wide / 2 + (at - (lng[0] + lng[1]) / 2) * squeeze * scale;
  const y = (at) => high / 2 - (at - (lat[0] + lat[1]) / 2) * scale;
  grid(pen, { x, y, wide, high, lat: (lat[0] + lat[1]) / 2, lng: (lng[0] + lng[1]) / 2, scale, squeeze });
  const now = Date.now() + state.offset, newest = new Map();
  for (const row of state.latest.values())
    newest.set(row.device_id, Math.max(newest.get(row.device_id) ?? 0, Date.parse(row.time)));
  const spots = places.map((place) => ({ ...place, x: x(place.lng), y: y(place.lat) }));
  for (const spot of spots) {
    const age = now - (newest.get(spot.device_id) ?? 0);
    pen.fillStyle = colour(age > OLD_MS ? "--bad" : age > AGING_MS ? "--warn" : "--good");
    pen.beginPath(); pen.arc(spot.x, spot.y, 4, 0, 7); pen.fill();
  }
  pen.fillStyle = colour("--soft"); drawNames(pen, spots, room(wide, high));
}

const CELL = 4, DOT = 3, BESIDE = DOT + CELL, RISE = 9, FALL = 3;  // of a point and its name, in pixels

function drawNames(pen, spots, free) {  // what would lie on a point or on another name is left out
  for (const { x, y } of spots) free.take({ left: x - DOT, right: x + DOT, top: y - DOT, bottom: y + DOT });
  for (const { x, y, device_id: name } of spots) {
    const wide = pen.measureText(name).width, middle = x - wide / 2;
    const around = [[x + BESIDE, y + 4], [x - BESIDE - wide, y + 4],
      [middle, y - BESIDE - FALL], [middle, y + BESIDE + RISE]];
    for (const [left, base] of around) {
      const box = { left, right: left + wide, top: base - RISE, bottom: base + FALL };
      if (!free.isFree(box)) continue;
      free.take(box); pen.fillText(name, left, base);
      break;
    }
  }
}

function room(wide, high) {  // which cells of a canvas have nothing on them yet
  const across = Math.ceil(wide / CELL), taken = new Uint8Array(across * Math.ceil(high / CELL));
  const every = (box, test) => {
    for (let row = Math.floor(box.top / CELL); row * CELL < box.bottom; row++)
      for (let column = Math.floor(box.left / CELL); column * CELL < box.right; column++)
        if (!test(row * across + column)) return false;
    return true;
  };
  const isInside = (box) => box.left >= 0 && box.top >= 0 && box.right <= wide && box.bottom <= high;
  return {
    isFree: (box) => isInside(box) && every(box, (cell) => !taken[cell]),
    take: (box) => every(box, (cell) => (taken[cell] = 1)),
  };
}

function grid(pen, map) {
  const step = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005]
    .find((each) => each * map.scale < map.high / 2) ?? 0.0005;
  pen.strokeStyle = colour("--rule"); pen.fillStyle = colour("--soft"); pen.font = "11px system-ui";
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  for (let n = -40; n <= 40; n++) {
    const lat = (Math.round(map.lat / step) + n) * step, lng = (Math.round(map.lng / step) + n) * step;
    const [x, y] = [map.x(lng), map.y(lat)];
    if (y > 0 && y < map.high) {
      line(pen, [0, y], [map.wide, y]);
      pen.fillText(`${lat.toFixed(digits)}°`, 4, y - 3);
    }
    if (x > 0 && x < map.wide) {
      line(pen, [x, 0], [x, map.high]);
      pen.fillText(`${lng.toFixed(digits)}°`, x + 3, map.high - 4);
    }
  }
}

function line(pen, from, to) {
  pen.beginPath(); pen.moveTo(...from); pen.lineTo(...to); pen.stroke();
}
