// What the page begins with: what is heard, and has numbers to draw.
import { AGING_MS } from "./map.js";

const at = (place) => Date.parse(place.time);
const best = (things, score) =>
  things.reduce((found, each) => (score(each) > score(found) ? each : found));

export function liveliestZone(zones) {  // of those heard lately, the one of most devices
  const newest = Math.max(...zones.map(at));
  return best(zones, (zone) => (newest - at(zone) < AGING_MS ? zone.devices : 0)).zone;
}

export const liveliestDevice = (devices) => best(devices, at).device_id;

export function partsOf(name) {  // product and metric; a metric's name may have any letter
  const end = name.indexOf("\n");
  return [name.slice(0, end), name.slice(end + 1)];
}

export function numbersOf(state, name) {  // how many there are to draw
  const rows = [...(state.windows.get(name)?.values() ?? [])];
  return rows.filter((row) => row.mean !== null).length;
}

export function liveliestMetric(state, names) {
  const told = [...state.latest.values()].filter((row) => typeof row.value === "number");
  const numeric = new Set(told.map((row) => `${row.product}\n${row.metric}`));
  return best(names, (name) => numbersOf(state, name) + (numeric.has(name) ? 0.5 : 0));
}

export function mostCommon(state, name) {  // of a zone's texts, and how many devices say it
  const [product, metric] = partsOf(name), times = new Map();
  const rows = [...state.latest.values()]
    .filter((row) => row.product === product && row.metric === metric)
    .filter((row) => typeof row.value !== "number");
  for (const row of rows) times.set(row.value, (times.get(row.value) ?? 0) + 1);
  if (!rows.length) return undefined;
  const [text, count] = best([...times], (each) => each[1]);
  return { text, share: rows.length > 1 ? `${count} of ${rows.length} devices` : "" };
}
