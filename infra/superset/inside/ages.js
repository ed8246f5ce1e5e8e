// Writes below each panel of a dashboard how old its data is. When a panel's answer has come, the
// age of its source is asked, once for all panels that came together; from then on it counts up, so
// a panel that is not renewed says so.
(() => {
  const TOGETHER_MS = 700;
  const STEP_MS = 1000;
  const UNITS = [["s", 1], ["min", 60], ["h", 3600], ["d", 86400]];
  const MOST = 120;  // as the live page says ages (services/query/page/draw.js)
  // No dashboard renews its panels less often than every five minutes: a source that was in time
  // when a panel's answer came is not called old before one renewal has failed.
  const RENEWED_MS = 600000;
  const known = new Map();
  const came = new Set();
  let asking = false;

  const words = (ms) => {
    const seconds = Math.max(0, ms) / 1000;
    const [unit, size] = UNITS.find(([, size]) => seconds < MOST * size) ?? UNITS.at(-1);
    return `data ${Math.floor(seconds / size)} ${unit} old`;
  };

  const show = () => {
    for (const panel of document.querySelectorAll("[data-test-chart-id]")) {
      const age = known.get(Number(panel.dataset.testChartId));
      if (!age) continue;
      const ms = age.newest === null ? null : performance.now() - age.newest;
      const text = ms === null ? "no data yet" : words(ms);
      const tone = ms !== null && (age.isOld || ms > age.red + RENEWED_MS) ? "red" : "plain";
      if (panel.dataset.age !== text) panel.dataset.age = text;
      if (panel.dataset.ageTone !== tone) panel.dataset.ageTone = tone;
    }
  };

  const ask = async () => {
    const panels = [...came];
    came.clear();
    const answer = await fetch("/ages", { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const { charts, sources } = await answer.json();
    const now = performance.now();
    for (const panel of panels) {
      const source = sources[charts[panel]];
      if (!source) continue;
      const newest = source.age_ms === null ? null : now - source.age_ms;
      const red = source.red_after_ms;
      known.set(panel, { newest, red, isOld: source.age_ms > red });
    }
    show();
  };

  const soon = () => {
    if (asking) return;
    asking = true;
    setTimeout(() => {
      asking = false;
      ask().catch((problem) => console.warn("no ages", problem));
    }, TOGETHER_MS);
  };

  const panelOf = (address) => {
    const url = new URL(address);
    if (!url.pathname.endsWith("/api/v1/chart/data")) return null;
    return JSON.parse(url.searchParams.get("form_data") ?? "{}").slice_id ?? null;
  };

  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const panel = panelOf(entry.name);
      if (panel === null || (entry.responseStatus ?? 200) !== 200) continue;
      came.add(panel);
      soon();
    }
  }).observe({ type: "resource", buffered: true });

  const style = document.createElement("style");
  style.textContent = `
    [data-test-chart-id][data-age] { position: relative; }
    [data-test-chart-id][data-age]::after {
      content: attr(data-age); position: absolute; right: 0; bottom: -14px;
      font-size: 11px; line-height: 14px; color: #5c6670; pointer-events: none;
    }
    [data-test-chart-id][data-age-tone="red"]::after { color: #c8102e; font-weight: 600; }`;
  document.head.append(style);
  setInterval(show, STEP_MS);
})();
