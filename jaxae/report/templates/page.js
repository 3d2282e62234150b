// Curves that answer: hover or arrow keys, seeds on and off, logarithmic scale. The numbers stand in the page as JSON
// (jaxae/report/live.py); nothing is computed here but places. Without this script the pictures are shown.
const DASHES = { solid: "none", dashed: "6 4", dotted: "1.5 3", dashdot: "7 3 1.5 3" };
const SHAPES = [ // circle, square, triangle, diamond, triangle down, plus, cross: matplotlib's "os^DvPX"
  "M1 0A1 1 0 1 1 -1 0A1 1 0 1 1 1 0Z",
  "M-.9 -.9H.9V.9H-.9Z",
  "M0 -1.1L1.1 .8H-1.1Z",
  "M0 -1.25L1.25 0L0 1.25L-1.25 0Z",
  "M0 1.1L1.1 -.8H-1.1Z",
  "M-.4 -1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z",
  "M0 -.5L.7 -1.2L1.2 -.7L.5 0L1.2 .7L.7 1.2L0 .5L-.7 1.2L-1.2 .7L-.5 0L-1.2 -.7L-.7 -1.2Z",
];
const MOST_SEEDS = 5; // that are drawn one by one from the start
const LETTER = 6; // pixels of a label, about
const EDGE = { left: 60, right: 14, top: 10, bottom: 42 };

// ---- what is drawn of a line

function markers(line, values, index, x, y, log) {
  const count = values.filter((value) => known(value, log)).length;
  const every = count <= 12 ? 1 : Math.ceil(values.length / 7);
  const first = Math.floor((index * every) / 7) % every;
  return values.flatMap((value, i) => (i % every === first && known(value, log) ? [marker(line, x(line.x[i]), y(value))] : []));
}

const marker = (line, x, y, size = 3.2) => svg("path", {
  d: SHAPES[line.marker], fill: line.colour, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size})`,
});

function drawnLine(line, index, x, y, state, bottom) {
  const dash = DASHES[line.style] || "none";
  const stroke = { fill: "none", stroke: line.colour };
  const parts = [];
  if (line.low) {
    const look = { fill: line.colour, stroke: line.colour, "fill-opacity": 0.16, "stroke-opacity": 0.3, class: "band" };
    parts.push(svg("path", { d: band(line, x, y, bottom, state.log), ...look }));
  }
  if (line.seeds && (state.seeds || line.few)) {
    const look = line.few ? { "stroke-width": 1.4, "stroke-dasharray": dash } : { "stroke-width": 0.8, "stroke-opacity": 0.6 };
    for (const seed of line.seeds) {
      parts.push(svg("path", { d: path(line, seed, x, y, state.log), ...stroke, ...look, class: "seed" }));
      if (line.few || line.x.length === 1) parts.push(...markers(line, seed, index, x, y, state.log));
    }
  }
  if (!line.few) {
    const look = { "stroke-width": 2, "stroke-dasharray": dash, class: "mean" };
    parts.push(svg("path", { d: path(line, line.mean, x, y, state.log), ...stroke, ...look }));
    parts.push(...markers(line, line.mean, index, x, y, state.log));
  }
  return parts;
}

function drawnMark(mark, x, y, width) {
  const place = y(mark.y);
  if (mark.x === null) {
    const look = { stroke: "#1f2328", "stroke-dasharray": mark.dash, "stroke-width": 1.1 };
    return svg("path", { d: `M${EDGE.left} ${place.toFixed(1)}H${width - EDGE.right}`, ...look });
  }
  const look = { fill: "#fff", stroke: mark.colour || "#1f2328", "stroke-width": 1.5 };
  return svg("path", { d: "M0 -5.5L5.5 0L0 5.5L-5.5 0Z", transform: `translate(${x(mark.x).toFixed(1)} ${place.toFixed(1)})`, ...look });
}

function axes(data, spanX, spanY, x, y, width, height, log) {
  const parts = [];
  const text = (words, attributes) => parts.push(svg("text", attributes, words));
  for (const tick of ticksOf(spanY, log, 6)) {
    parts.push(svg("path", { d: `M${EDGE.left} ${y(tick).toFixed(1)}H${width - EDGE.right}`, class: "grid" }));
    text(words(tick), { x: EDGE.left - 6, y: y(tick) + 4, "text-anchor": "end" });
  }
  const powers = data.log_x ? [...new Set(data.lines.flatMap((line) => line.x))] : ticksOf(spanX, false, width < 420 ? 4 : 7);
  for (const tick of powers) {
    parts.push(svg("path", { d: `M${x(tick).toFixed(1)} ${height - EDGE.bottom}v4`, class: "grid" }));
    text(words(tick), { x: x(tick), y: height - EDGE.bottom + 17, "text-anchor": "middle" });
  }
  text(data.x, { x: (EDGE.left + width - EDGE.right) / 2, y: height - 6, "text-anchor": "middle" });
  const room = height + EDGE.top - EDGE.bottom; // twice the way from the label's middle to the picture's edge
  const squeezed = data.y.length * LETTER > room ? { textLength: room, lengthAdjust: "spacingAndGlyphs" } : {};
  text(data.y, { transform: `translate(13 ${room / 2}) rotate(-90)`, "text-anchor": "middle", ...squeezed });
  return parts;
}

// ---- what is told of a place

const nearest = (places, place) => places.reduce((best, value, i) => (Math.abs(value - place) < Math.abs(places[best] - place) ? i : best), 0);

function told(line, place, state) {
  const i = nearest(line.x, place);
  const where = line.x[i] === place ? "" : ` (at ${words(line.x[i])})`;
  const seeds = line.seeds && (state.seeds || line.few) ? line.seeds.map((seed) => words(seed[i])).join(", ") : "";
  const spread = line.low && known(line.low[i]) ? ` (${words(line.low[i])} to ${words(line.high[i])})` : "";
  const mean = line.few ? seeds : `${words(line.mean[i])}${spread}${seeds ? `; seeds ${seeds}` : ""}`;
  return `${line.label}${where}: ${mean}`;
}

function panelOf(data, state, name) {
  const lines = data.lines.filter((line) => line.panel === name);
  const marks = data.marks.filter((mark) => mark.panel === null || mark.panel === name);
  const places = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
  const label = `${name || data.y}: ${data.x}`;
  const plot = svg("svg", {
    class: "inverts", tabindex: 0, role: "slider", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": places.length - 1,
    "aria-valuenow": 0, "aria-valuetext": "arrow keys read the values",
  });
  const tip = html("div", { class: "tip" });
  const node = html("div", { class: "panel" }, ...(name ? [html("h4", {}, name)] : []), html("div", { class: "plot" }, plot, tip));
  const now = { place: null };
  const shown = () => lines.filter((line) => !state.hidden.has(line.label));

  function draw() {
    const width = Math.max(node.clientWidth, 200);
    const height = data.panels.length > 1 ? 240 : 330;
    const log = state.log;
    const spanY = data.share ? spanned(data.lines, data.marks, state) : spanned(lines, marks, state);
    const spanX = ends([...places, ...marks.flatMap((mark) => (mark.x === null ? [] : [mark.x]))], data.log_x);
    const x = scaleOf(spanX, EDGE.left, width - EDGE.right, data.log_x);
    const y = scaleOf(spanY, height - EDGE.bottom, EDGE.top, log);
    const parts = shown().flatMap((line) => drawnLine(line, data.labels.indexOf(line.label), x, y, state, height - EDGE.bottom));
    const points = marks.filter((mark) => known(mark.y, log)).map((mark) => drawnMark(mark, x, y, width));
    now.x = x;
    now.y = y;
    now.cross = svg("g", { class: "cross" });
    filled(plot, { width, height, viewBox: `0 0 ${width} ${height}` }, []);
    plot.replaceChildren(...axes(data, spanX, spanY, x, y, width, height, log), ...parts, ...points, now.cross);
    if (now.place !== null) show(now.place);
  }

  function show(i) {
    const place = places[i];
    now.place = i;
    const bottom = plot.viewBox.baseVal.height - EDGE.bottom;
    const dots = shown().flatMap((line) => {
      const at = nearest(line.x, place);
      const values = line.few ? line.seeds.map((seed) => seed[at]) : [line.mean[at]];
      return values.filter((value) => known(value, state.log)).map((value) => marker(line, now.x(line.x[at]), now.y(value), 4.5));
    });
    now.cross.replaceChildren(svg("path", { d: `M${now.x(place).toFixed(1)} ${EDGE.top}V${bottom}`, class: "at" }), ...dots);
    const sentences = shown().map((line) => told(line, place, state));
    tip.replaceChildren(html("b", {}, `${data.x} ${words(place)}`), ...sentences.map((sentence) => html("div", {}, sentence)));
    const right = now.x(place) > plot.viewBox.baseVal.width / 2;
    tip.style.left = right ? "auto" : `${now.x(place) + 12}px`;
    tip.style.right = right ? `${plot.viewBox.baseVal.width - now.x(place) + 12}px` : "auto";
    tip.classList.add("shown");
    plot.setAttribute("aria-valuenow", i);
    plot.setAttribute("aria-valuetext", `${data.x} ${words(place)}. ${sentences.join(". ")}`);
  }

  function hide() {
    now.place = null;
    now.cross.replaceChildren();
    tip.classList.remove("shown");
  }

  plot.addEventListener("pointermove", (event) => {
    const at = event.clientX - plot.getBoundingClientRect().left;
    show(nearest(places.map(now.x), at));
  });
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("blur", hide);
  plot.addEventListener("focus", () => { if (plot.matches(":focus-visible")) show(0); });
  plot.addEventListener("keydown", (event) => {
    const from = now.place ?? -1;
    const far = Math.max(1, Math.round(places.length / 10));
    const to = { ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: from + 1, ArrowUp: from + 1, Home: 0,
      End: places.length - 1, PageUp: from + far, PageDown: from - far }[event.key];
    if (event.key === "Escape") hide();
    if (to === undefined) return;
    event.preventDefault();
    show(Math.max(0, Math.min(places.length - 1, to)));
  });
  return { node, draw };
}

// ---- controls

function swatch(line) {
  const stroke = svg("path", { d: "M1 7H33", stroke: line.colour, "stroke-width": 2, "stroke-dasharray": DASHES[line.style] || "none" });
  return svg("svg", { width: 34, height: 14, class: "swatch inverts", "aria-hidden": "true" }, stroke, marker(line, 17, 7, 3.5));
}

function markSwatch(mark) {
  const shape = mark.x === null
    ? svg("path", { d: "M1 7H33", stroke: "#1f2328", "stroke-dasharray": mark.dash, "stroke-width": 1.2 })
    : svg("path", { d: "M17 1.5L22.5 7L17 12.5L11.5 7Z", fill: "#fff", stroke: "#1f2328", "stroke-width": 1.5 });
  return svg("svg", { width: 34, height: 14, class: "swatch inverts", "aria-hidden": "true" }, shape);
}

function box(words, checked, changed) {
  const input = html("input", { type: "checkbox" });
  input.checked = checked;
  input.addEventListener("change", () => changed(input.checked));
  return html("label", {}, input, ` ${words}`);
}

function controlsOf(data, state, redraw) {
  const parts = [box("log scale", state.log, (on) => { state.log = on; redraw(); })];
  if (data.lines.some((line) => line.seeds && !line.few)) {
    parts.push(box("seeds one by one", state.seeds, (on) => { state.seeds = on; redraw(); }));
  }
  for (const label of data.labels) {
    const button = html("button", { type: "button", "aria-pressed": "true" }, swatch(data.lines.find((line) => line.label === label)), label);
    button.addEventListener("click", () => {
      if (!state.hidden.delete(label)) state.hidden.add(label);
      button.setAttribute("aria-pressed", String(!state.hidden.has(label)));
      redraw();
    });
    parts.push(button);
  }
  const marks = new Map(data.marks.map((mark) => [mark.label, mark]));
  parts.push(...[...marks].map(([label, mark]) => html("span", { class: "mark" }, markSwatch(mark), label)));
  if (data.lines.some((line) => line.low)) parts.push(html("span", { class: "mark" }, "band: 95% interval of the mean"));
  return html("div", { class: "controls", role: "group", "aria-label": "what is drawn" }, ...parts);
}

function chart(place) {
  const data = JSON.parse(document.getElementById(place.dataset.source).textContent);
  const state = { log: data.log, seeds: data.seeds > 1 && data.seeds <= MOST_SEEDS, hidden: new Set() };
  const panels = data.panels.map((name) => panelOf(data, state, name));
  const redraw = () => panels.forEach((panel) => panel.draw());
  const grid = html("div", { class: data.panels.length > 1 ? "panels" : "panels alone" }, ...panels.map((panel) => panel.node));
  place.append(controlsOf(data, state, redraw), grid);
  let width = 0;
  new ResizeObserver(() => {
    if (place.clientWidth !== width && place.clientWidth) { width = place.clientWidth; redraw(); }
  }).observe(place);
  redraw();
}

document.documentElement.classList.add("js");
for (const place of document.querySelectorAll(".curves")) {
  try {
    chart(place);
  } catch (error) { // the picture stands in
    place.closest("figure").classList.add("undrawn");
    console.error(error);
  }
}

// in print nothing is folded
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not([open])")) { part.open = true; part.dataset.folded = ""; }
});
addEventListener("afterprint", () => {
  for (const part of document.querySelectorAll("details[data-folded]")) { part.open = false; delete part.dataset.folded; }
});
