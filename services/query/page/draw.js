// What the page shows: cards with sparklines, one large chart, a table, and ages.
import { AGING_MS, OLD_MS, colour, drawMap } from "./map.js";
import { liveliestMetric, mostCommon, numbersOf, partsOf } from "./picking.js";

const $ = (id) => document.getElementById(id);
const ROWS = 200, charts = new Map();
export const HELD = 120;  // windows of a series
const number = (value) => typeof value !== "number" ? String(value ?? "–")
  : Math.abs(value) >= 1e6 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2)
  : Number(value.toPrecision(5)).toLocaleString("en");

const UNITS = [["s", 1], ["min", 60], ["h", 3600], ["d", 86400]], MOST = 120;

export function ageText(ms) {  // as dashboards say ages (infra/superset/inside/ages.js)
  const seconds = Math.max(0, ms) / 1000;
  const [unit, size] = UNITS.find(([, size]) => seconds < MOST * size) ?? UNITS.at(-1);
  return `${Math.floor(seconds / size)} ${unit}`;
}

export function drawAges(state) {
  const now = Date.now() + state.offset, age = now - state.newest, badge = $("age");
  if (!$("login").hidden) { badge.textContent = "waiting for a key"; badge.className = "aging"; return; }
  const isWaiting = !state.isOpen && !$("device").options.length;  // nothing to be heard yet
  const link = state.isOpen || isWaiting ? "" : "connection lost · ";
  badge.textContent = link + (state.newest ? `data ${ageText(age)} old` : "no data yet");
  const isOld = !isWaiting && (!state.isOpen || !state.newest || age > OLD_MS);
  badge.className = isWaiting ? "aging" : isOld ? "old" : age > AGING_MS ? "aging" : "fresh";
  badge.title = state.completeUntil ? `complete until ${state.completeUntil}` : "";
  for (const cell of document.querySelectorAll("[data-time]"))
    cell.textContent = ageText(now - cell.dataset.time);
}

export function drawAll(state, choose) {
  const names = metricNames(state);
  const stays = names.includes(state.metric) && (state.isChosen || numbersOf(state, state.metric));
  if (!stays) state.metric = names.length ? liveliestMetric(state, names) : null;
  drawCards(state, names, choose); drawChart(state); drawMap(state); drawTable(state); drawAges(state);
}

function metricNames(state) {
  const names = new Set(state.windows.keys());
  for (const row of state.latest.values()) names.add(`${row.product}\n${row.metric}`);
  return [...names].sort();
}

function columns(series) {  // a window that is missing is a gap
  const all = [...(series?.entries() ?? [])].sort((a, b) => a[0] - b[0]), newest = all.at(-1);
  const width = newest ? Date.parse(newest[1].window_end) / 1000 - newest[0] : 0;
  // A late message may belong to an hour long ago: that is no reason to squeeze what is new.
  const rows = all.filter(([at]) => at > newest[0] - HELD * width);
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
  const [product, metric] = partsOf(name), last = [...(state.windows.get(name)?.entries() ?? [])];
  if (!state.isZone)
    return [...state.latest.values()]
      .find((row) => row.product === product && row.metric === metric)?.value;
  if (!numbersOf(state, name)) return mostCommon(state, name)?.text;
  return last.reduce((a, b) => (a[0] > b[0] ? a : b))[1].mean;
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
    const spark = button.querySelector(".spark");
    if (!numbersOf(state, name)) spark.textContent = mostCommon(state, name)?.share ?? "";
    else
      plot(`spark ${name}`, spark, [data[0], data[3]], 46, {
        axes: [{ show: false }, { show: false }], legend: { show: false }, cursor: { show: false },
        padding: [3, 0, 3, 0],
        series: [{}, { stroke: colour("--line"), width: 1.5, points: { show: false } }],
      });
  });
}

function card(name, choose) {
  const button = document.createElement("button"), [product, metric] = partsOf(name);
  button.className = "card"; button.type = "button";
  for (const [tag, text] of [["small", `${product} · ${metric}`], ["b", ""], ["div", ""]])
    button.append(Object.assign(document.createElement(tag), { textContent: text }));
  button.lastChild.className = "spark";
  button.onclick = () => choose(name);
  return button;
}

function drawChart(state) {
  const place = $("chart"), data = columns(state.windows.get(state.metric));
  const [product, metric] = partsOf(state.metric ?? "\n");
  const drawn = numbersOf(state, state.metric) ? "mean, least to greatest" : "no numbers to draw";
  $("chosen").textContent = metric ? `${metric} of ${product}: ${drawn}` : "No metric yet";
  if (charts.has("chart") && place.dataset.metric !== state.metric) {
    charts.get("chart").destroy(); charts.delete("chart");
  }
  place.dataset.metric = state.metric ?? "";
  place.hidden = !numbersOf(state, state.metric);
  if (place.hidden) return;
  const time = { values: (_, splits) => splits.map(clock) };
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--rule"), width: 1 } };
  const line = colour("--line"), bound = { stroke: "transparent", points: { show: false } };
  plot("chart", place, data, 240, {
    axes: [{ ...axis, ...time }, { ...axis, size: 64 }], scales: { x: { time: true } },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1e3), "Etc/UTC"),
    bands: [{ series: [2, 1], fill: `${line}33` }],
    series: [{ label: "UTC", value: (_, at) => at === null ? "–" : said(at) }, { label: "least", ...bound }, { label: "greatest", ...bound },
      { label: "mean", stroke: line, width: 2, spanGaps: false }],
  });
  const chart = charts.get("chart");  // without a cursor the legend tells the newest window
  if (chart.cursor.left < 0) chart.setLegend({ idx: data[0].length - 1 });
}

const said = (at) => new Date(at * 1e3).toISOString().slice(0, 16).replace("T", " ");

function clock(at, place) {  // the day stands below the first, and where it begins
  const [day, minute] = said(at).split(" ");
  return place === 0 || minute === "00:00" ? `${minute}\n${day}` : minute;
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
