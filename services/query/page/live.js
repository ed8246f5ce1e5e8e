// What is watched, and how it is heard of: one socket, resumed where it broke off.
import { HELD, ageText, drawAll, drawAges } from "./draw.js";
import { liveliestDevice, liveliestZone } from "./picking.js";

const $ = (id) => document.getElementById(id);
const ALL = "", LOOK_AGAIN_MS = 3000, NOT_LET_IN = [401, 403];
const state = {
  latest: new Map(), places: new Map(), windows: new Map(), metric: null, isChosen: false,
  newest: 0, offset: 0, completeUntil: null, isOpen: false, isZone: true,
};
let key = "", asked = 0, socket = null, cursor = "", ended = "", pause = 500, generation = 0, isDrawing = false;

function kept() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) history.replaceState(null, "", location.pathname);  // it stays in no history
  return given || sessionStorage.getItem("headwater.key") || "";
}

async function ask(path) {
  const answer = await fetch(path, { headers: { Authorization: `Bearer ${key}` } });
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    const error = new Error(said.detail ?? `the service answers ${answer.status}`);
    throw Object.assign(error, { status: answer.status });
  }
  return answer.json();
}

function fill(select, names, first, whole) {
  const before = select.value;
  select.replaceChildren(...first.concat(names).map((name) => new Option(name || whole, name)));
  if (names.includes(before)) select.value = before;
  return names.includes(before);
}

async function start() {
  $("refusal").textContent = "";
  let zones;
  try { zones = await ask("v1/zones"); } catch (error) {
    const isRefused = !key || NOT_LET_IN.includes(error.status);
    $("login").hidden = !isRefused; document.querySelector("main").hidden = isRefused;
    if (isRefused) $("refusal").textContent = key ? error.message : "";
    else {  // the service starts, or is away: the key may be right
      $("note").textContent = `no answer yet (${error.message}): this page looks again`;
      setTimeout(start, LOOK_AGAIN_MS);
    }
    drawAges(state);
    return;
  }
  sessionStorage.setItem("headwater.key", key);
  $("login").hidden = true; document.querySelector("main").hidden = false;
  fill($("zone"), zones.points.map((zone) => zone.zone), [ALL], "all zones");
  if (zones.points.length) $("zone").value = liveliestZone(zones.points);
  const devices = await chooseZone();
  if (!devices) return;  // another zone was chosen meanwhile
  const isNew = devices.some((device) => device.zone);
  if (!devices.length) setTimeout(start, LOOK_AGAIN_MS);
  else if (isNew && !zones.points.length) start();  // the first came between the two answers
}

async function chooseZone() {
  const zone = $("zone").value, wanted = zone ? `&zone=${encodeURIComponent(zone)}` : "";
  const mine = ++asked;
  let devices;
  try { devices = await ask(`v1/devices?limit=10000${wanted}`); } catch (error) {
    $("note").textContent = `the list of devices did not come (${error.message}): choose again`;
    return [];
  }
  if (mine !== asked) return null;
  const names = devices.points.map((device) => device.device_id);
  const isKept = fill($("device"), names, zone ? [ALL] : [], "whole zone");
  if (!zone && names.length && !isKept) $("device").value = liveliestDevice(devices.points);
  const cut = devices.truncated ? `the first ${devices.points_out} devices are listed` : "";
  $("note").textContent = names.length ? cut : "no device has spoken yet: this page looks again";
  watch();
  return devices.points;
}

function watch() {
  for (const map of [state.latest, state.places, state.windows]) map.clear();
  Object.assign(state, { metric: null, isChosen: false, newest: 0, completeUntil: null });
  state.isZone = !$("device").value;
  cursor = ""; pause = 500; connect(++generation);
}

function connect(mine) {
  socket?.close();
  const wanted = new URLSearchParams({ width: $("width").value, history: HELD });
  if ($("device").value) wanted.set("device_id", $("device").value);
  else if ($("zone").value) wanted.set("zone", $("zone").value);
  else return;
  if (cursor) wanted.set("cursor", cursor);
  const url = new URL(`v1/live?${wanted}`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url, ["headwater.live", `bearer.${key}`]);
  socket.onopen = () => {
    state.isOpen = true; pause = 500;
    if (ended) { $("note").textContent = ended = ""; }
  };
  socket.onmessage = (event) => { if (mine === generation) take(JSON.parse(event.data)); };
  socket.onclose = () => {
    if (mine !== generation) return;
    state.isOpen = false; draw();
    setTimeout(() => mine === generation && connect(mine), pause);
    pause = Math.min(pause * 2, 15000);
  };
}

function take(told) {
  if (told.cursor) cursor = told.cursor;
  if (told.whole && state[told.type]) state[told.type].clear();
  if (told.type === "latest") told.rows.forEach(takeLatest);
  if (told.type === "places") told.rows.forEach((row) => state.places.set(row.device_id, row));
  if (told.type === "windows") told.rows.forEach(takeWindow);
  if (told.type === "beat") {
    state.offset = Date.parse(told.now) - Date.now(); state.completeUntil = told.complete_until;
  }
  if (told.type === "end") $("note").textContent = ended = told.reason;
  if (told.gap) $("note").textContent = "some windows of the break are too old to be shown";
  draw();
}

function takeLatest(row) {
  state.latest.set(`${row.device_id}\n${row.metric}`, row);
  state.newest = Math.max(state.newest, Date.parse(row.time));
}

function takeWindow(row) {
  const name = `${row.product}\n${row.metric}`;
  if (!state.windows.has(name)) state.windows.set(name, new Map());
  const series = state.windows.get(name), at = Date.parse(row.window_start) / 1000;
  series.set(at, row);
  if (series.size > HELD) series.delete(Math.min(...series.keys()));
}

function draw() {  // at most once a frame, however much comes
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => { isDrawing = false; drawAll(state, choose); });
}

function choose(name) { state.metric = name; state.isChosen = true; draw(); }

$("login").onsubmit = (event) => { event.preventDefault(); key = $("key").value.trim(); start(); };
$("leave").onclick = () => { sessionStorage.removeItem("headwater.key"); location.reload(); };
$("zone").onchange = chooseZone;
$("device").onchange = $("width").onchange = watch;
addEventListener("resize", draw);
setInterval(() => drawAges(state), 1000);
document.documentElement.dataset.ready = ageText(0);
key = kept(); start();
