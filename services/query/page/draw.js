// What the page shows: cards with sparklines, one large chart, a map, a table, and ages.
const $ = (id) => document.getElementById(id);
const ROWS = 200, charts = new Map();
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const number = (value) => typeof value !== "number" ? String(value ?? "–")
  : Math.abs(value) >= 1e6 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2)
  : Number(value.toPrecision(5)).toLocaleString("en");

export function ageText(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}

export function drawAges(state) {
  const now = Date.now() + state.offset, age = now - state.newest, badge = $("age");
  const link = state.isOpen ? "" : "connection lost · ";
  badge.textContent = link + (state.newest ? `data ${ageText(age)} old` : "no data yet");
  badge.className = !state.isOpen || !state.newest || age > 300000 ? "old" : age > 60000 ? "aging" : "fresh";
  badge.title = state.completeUntil ? `complete until ${state.completeUntil}` : "";
  for (const cell of document.querySelectorAll("[data-time]")) cell.textContent = ageText(now - cell.dataset.time);
}

export function drawAll(state, choose) {
  const names = metricNames(state);
  if (!names.includes(state.metric)) state.metric = names[0] ?? null;
  drawCards(state, names, choose); drawChart(state); drawMap(state); drawTable(state); drawAges(state);
}

function metricNames(state) {
  const names = new Set(state.windows.keys());
  for (const row of state.latest.values()) names.add(`${row.product}\n${row.metric}`);
  return [...names].sort();
}

function columns(series) {  // a window that is missing is a gap
  const rows = [...(series?.entries() ?? [])].sort((a, b) => a[0] - b[0]);
  const width = rows.length ? (Date.parse(rows[0][1].window_end) - Date.parse(rows[0][1].window_start)) / 1000 : 0;
  const times = [], mean = [], low = [], high = [];
  for (const [at, row] of rows) {
    if (times.length && at > times.at(-1) + width) {
      times.push(times.at(-1) + width); mean.push(null); low.push(null); high.push(null);
    }
    times.push(at); mean.push(row.mean); low.push(row.min); high.push(row.max);
  }
  return [times, low, high, mean];
}

function plot(name, place, data, height, options) {
  const width = Math.floor(place.clientWidth);
  let chart = charts.get(name);
  if (chart && !place.contains(chart.root)) { chart.destroy(); charts.delete(name); chart = null; }
  if (!chart) {
    chart = new uPlot({ width, height, ...options }, data, place);
    charts.set(name, chart);
  } else {
    if (chart.width !== width) chart.setSize({ width, height });
    chart.setData(data);
  }
}

function value(state, name) {
  const [product, metric] = name.split("\n"), last = [...(state.windows.get(name)?.entries() ?? [])];
  if (!state.isZone)
    return [...state.latest.values()].find((row) => row.product === product && row.metric === metric)?.value;
  return last.length ? last.reduce((a, b) => (a[0] > b[0] ? a : b))[1].mean : undefined;
}

function drawCards(state, names, choose) {
  const cards = $("cards");
  if (cards.dataset.names !== names.join("|")) {
    cards.dataset.names = names.join("|");
    cards.replaceChildren(...names.map((name) => card(name, choose)));
  }
  names.forEach((name, place) => {
    const button = cards.children[place], data = columns(state.windows.get(name));
    button.querySelector("b").textContent = number(value(state, name));
    button.setAttribute("aria-pressed", name === state.metric);
    if (data[3].some((each) => each !== null))
      plot(`spark ${name}`, button.querySelector(".spark"), [data[0], data[3]], 46, {
        axes: [{ show: false }, { show: false }], legend: { show: false }, cursor: { show: false },
        padding: [3, 0, 3, 0],
        series: [{}, { stroke: colour("--line"), width: 1.5, points: { show: false } }],
      });
  });
}

function card(name, choose) {
  const button = document.createElement("button"), [product, metric] = name.split("\n");
  button.className = "card"; button.type = "button";
  for (const [tag, text] of [["small", `${product} · ${metric}`], ["b", ""], ["div", ""]])
    button.append(Object.assign(document.createElement(tag), { textContent: text }));
  button.lastChild.className = "spark";
  button.onclick = () => choose(name);
  return button;
}

function drawChart(state) {
  const place = $("chart"), data = columns(state.windows.get(state.metric));
  const [product, metric] = (state.metric ?? "\n").split("\n");
  $("chosen").textContent = metric ? `${metric} of ${product}: mean, least to greatest` : "No metric yet";
  if (charts.has("chart") && place.dataset.metric !== state.metric) {
    charts.get("chart").destroy(); charts.delete("chart");
  }
  place.dataset.metric = state.metric ?? "";
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--rule"), width: 1 } };
  const line = colour("--line"), bound = { stroke: "transparent", points: { show: false } };
  plot("chart", place, data, 240, {
    axes: [axis, { ...axis, size: 64 }], scales: { x: { time: true } }, tzDate: (at) => uPlot.tzDate(new Date(at * 1e3), "Etc/UTC"),
    bands: [{ series: [2, 1], fill: `${line}33` }],
    series: [{ label: "UTC" }, { label: "least", ...bound }, { label: "greatest", ...bound },
      { label: "mean", stroke: line, width: 2, spanGaps: false }],
  });
}

function drawMap(state) {
  const canvas = $("map"), ratio = devicePixelRatio || 1, places = [...state.places.values()];
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
  for (const place of places) {
    const age = now - (newest.get(place.device_id) ?? 0);
    pen.fillStyle = colour(age > 300000 ? "--bad" : age > 60000 ? "--warn" : "--good");
    pen.beginPath(); pen.arc(x(place.lng), y(place.lat), 4, 0, 7); pen.fill();
    if (places.length > 30) continue;
    pen.fillStyle = colour("--soft"); pen.fillText(place.device_id, x(place.lng) + 7, y(place.lat) + 4);
  }
}

function grid(pen, map) {
  const step = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005]
    .find((each) => each * map.scale < map.high / 2) ?? 0.0005;
  pen.strokeStyle = colour("--rule"); pen.fillStyle = colour("--soft"); pen.font = "11px system-ui";
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  for (let n = -40; n <= 40; n++) {
    const lat = (Math.round(map.lat / step) + n) * step, lng = (Math.round(map.lng / step) + n) * step;
    const [x, y] = [map.x(lng), map.y(lat)];
    if (y > 0 && y < map.high) { pen.beginPath(); pen.moveTo(0, y); pen.lineTo(map.wide, y); pen.stroke(); pen.fillText(`${lat.toFixed(digits)}°`, 4, y - 3); }
    if (x > 0 && x < map.wide) { pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, map.high); pen.stroke(); pen.fillText(`${lng.toFixed(digits)}°`, x + 3, map.high - 4); }
  }
}

function drawTable(state) {
  const rows = [...state.latest.values()].sort((a, b) => (a.time < b.time ? 1 : -1));
  $("latest").replaceChildren(...rows.slice(0, ROWS).map((row) => {
    const line = document.createElement("tr");
    for (const text of [row.device_id, row.metric, number(row.value), ""])
      line.append(Object.assign(document.createElement("td"), { textContent: text }));
    line.lastChild.dataset.time = Date.parse(row.time);
    return line;
  }));
  $("more").textContent = rows.length > ROWS ? `the newest ${ROWS} of ${rows.length} are shown` : "";
}
