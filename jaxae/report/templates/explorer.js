// The explorer's controls. There is one code at any time; the map, the sliders, the line between two test images and the
// number that is added each set it, and everything shown follows from it.

const data = JSON.parse(document.getElementById("explore-data").textContent);
const part = (name) => document.getElementById(`explore-${name}`);
const [height, width, channels] = data.size;
const LIGHT = ["#332288", "#0072b2", "#00796b", "#117733", "#6b6b00", "#a05a00", "#c0392b", "#882255", "#aa4499", "#555555"];
const DARK = ["#a99cff", "#6fb8ff", "#4fd1c5", "#6fd98a", "#d6d65a", "#f2a65a", "#ff8a80", "#f48fb1", "#e1a6f0", "#c0c6ce"];
const darkness = matchMedia("(prefers-color-scheme: dark)");
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const marks = data.classes.map((name, place) => ([...name].length === 1 ? name : LETTERS[place % LETTERS.length]));
const articled = (name) => (name === "8" || /^[aeiou]/i.test(name) ? `an ${name}` : `a ${name}`);
const map = part("map"), value = part("value"), line = part("line");
let model, code, ends, follow, ranges = [], speaking = 0;

// ---- models

// A model with its codes and weights read, which is done once, when it is first chosen.
function opened(kept) {
  if (kept.networks) return kept;
  const all = new Float32Array(bytesOf(kept.codes).buffer), count = kept.numbers;
  kept.points = data.labels.map((_, place) => all.slice(place * count, (place + 1) * count));
  kept.places = kept.points.map((point) => placeOf(kept.map, point));
  kept.networks = unpack(kept.layers, bytesOf(kept.weights), kept.precision);
  kept.codes = kept.weights = null;
  return kept;
}

function choose(kept) {
  model = opened(kept);
  part("said").textContent = model.said;
  part("plane").hidden = !model.map.plane;
  part("adding").hidden = !model.networks.plus;
  part("still").textContent = model.still;
  ranges = model.sliders.map(({ number, low, high }) => {
    const label = element("label", { className: "explore-slide" });
    const input = element("input", { type: "range", min: low, max: high, step: (high - low) / 100 });
    label.append(element("span", { textContent: `Number ${number + 1}` }), input, element("output", { ariaHidden: "true" }));
    input.addEventListener("input", () => move(code.map((now, i) => (i === number ? +input.value : now)), null));
    return { label, input, number };
  });
  part("sliders").replaceChildren(...ranges.map((range) => range.label));
  follow = follow === walk ? walk : usual();
  move(follow(), follow);
}

const sumOf = (point, number) => {
  const shown = run(model.networks.value, [number]).values;
  return Float64Array.from(run(model.networks.plus, [...point, ...shown]).values);
};
const walk = () => Float64Array.from(model.points[ends[0]], (from, i) => from + line.value * (model.points[ends[1]][i] - from));
const add = () => sumOf(model.points[ends[0]], +value.value);
const usual = () => (model.networks.plus ? add : walk);

// ---- from codes to the map and back

function placeOf({ center, axes }, point) {
  return axes.map((axis) => axis.reduce((sum, share, i) => sum + share * (point[i] - center[i]), 0));
}

// The code that lies at this place of the map and, in all other directions, where this code lies.
function moved(point, place) {
  const before = placeOf(model.map, point);
  return point.map((number, i) => model.map.axes.reduce((sum, axis, k) => sum + axis[i] * (place[k] - before[k]), number));
}

function nearest(point) {
  const distance = (other) => other.reduce((sum, number, i) => sum + (number - point[i]) ** 2, 0);
  const distances = model.points.map(distance);
  return distances.indexOf(Math.min(...distances));
}

// ---- what is shown

// Go to a code; `by` is what gave it, and gives it again when an end changes, or null. Browsers send at most one event of
// a pointer or slider for each frame, so that nothing is drawn in vain.
function move(to, by) {
  [code, follow] = [Float64Array.from(to), by];
  const near = nearest(code), image = run(model.networks.decode, code).values;
  paint(part("drawn"), image);
  tile(part("nearest"), near);
  ends.forEach((end, i) => {
    tile(part(`tile-${i}`), end);
    part(`tile-${i}`).setAttribute("aria-label", `Test image of ${articled(nameOf(end))}`);
    part(`class-${i}`).value = data.labels[end];
  });
  for (const { label, input, number } of ranges) {
    input.value = code[number];
    label.lastChild.textContent = written(code[number]);
  }
  line.nextElementSibling.textContent = `${Math.round(100 * line.value)}%`;
  value.nextElementSibling.textContent = (+value.value).toFixed(1);
  if (model.networks.plus) saySum();
  drawMap();
  clearTimeout(speaking);
  speaking = setTimeout(() => (part("status").textContent = described(near)), 250);
}

function described(near) {
  const where = `Nearest to ${articled(nameOf(near))}.`;
  return code.length > 8 ? where : `Code ${[...code].map(written).join(", ")}. ${where}`;
}

function saySum() {
  const first = nameOf(ends[0]), total = +first + +value.value;
  const beyond = total > 9 ? " It was trained on sums up to 9." : "";
  part("sum").textContent = follow === add ? `${first} + ${(+value.value).toFixed(1)} = ${total.toFixed(1)}.${beyond}` : "";
}

const nameOf = (image) => data.classes[data.labels[image]];
const written = (number) => number.toFixed(2).replace("-", "−");

function paint(canvas, values) {
  [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d"), pixels = pen.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * pixel + c] = 255 * values[pixel * channels + (channels === 3 ? c : 0)];
    pixels.data[4 * pixel + 3] = 255;
  }
  pen.putImageData(pixels, 0, 0);
}

function tile(canvas, image) {
  [canvas.width, canvas.height] = [width, height];
  const x = (image % data.columns) * width, y = Math.floor(image / data.columns) * height;
  canvas.getContext("2d").drawImage(sheet, x, y, width, height, 0, 0, width, height);
}

// The map in its own pixels, second number upwards: marks of all images, the two ends, the way between, and the code.
function drawMap() {
  const side = Math.round(map.clientWidth * devicePixelRatio), unit = side / map.clientWidth, pen = map.getContext("2d");
  if (!side) return; // it isn't on the screen
  [map.width, map.height] = [side, side];
  const { low, high } = model.map;
  const at = ([x, y]) => [(side * (x - low[0])) / (high[0] - low[0]), (side * (high[1] - y)) / (high[1] - low[1])];
  const style = getComputedStyle(map), colours = darkness.matches ? DARK : LIGHT;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.font = `600 ${11 * unit}px ${style.fontFamily}`;
  pen.globalAlpha = 0.75;
  model.places.forEach((place, image) => {
    pen.fillStyle = colours[data.labels[image] % colours.length];
    pen.fillText(marks[data.labels[image]], ...at(place));
  });
  pen.globalAlpha = 1;
  pen.strokeStyle = style.color;
  pen.lineWidth = 1.5 * unit;
  pen.setLineDash([4 * unit, 4 * unit]);
  trace(pen, way().map((point) => at(placeOf(model.map, point))));
  pen.setLineDash([]);
  for (const end of ends) ring(pen, at(model.places[end]), 9 * unit);
  const here = at(placeOf(model.map, code));
  pen.lineWidth = 5 * unit;
  pen.strokeStyle = style.backgroundColor;
  ring(pen, here, 6 * unit);
  pen.lineWidth = 2.5 * unit;
  pen.strokeStyle = style.color;
  ring(pen, here, 6 * unit);
}

// The codes that lie on the way of the last slider that was moved: sums, or the two ends of a line.
function way() {
  if (follow !== add) return ends.map((end) => model.points[end]);
  return Array.from({ length: 19 }, (_, halves) => sumOf(model.points[ends[0]], halves / 2));
}

function trace(pen, points) {
  pen.beginPath();
  for (const point of points) pen.lineTo(...point);
  pen.stroke();
}

function ring(pen, [x, y], radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.stroke();
}

// ---- controls

function element(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

// The next image of a class after this one, in a circle.
function next(label, after) {
  const images = data.labels.flatMap((found, image) => (found === label ? [image] : []));
  return images.find((image) => image > after) ?? images[0];
}

function setEnd(i, image) {
  ends[i] = image;
  const by = follow || usual();
  move(by(), by);
}

function toPointer(event) {
  const box = map.getBoundingClientRect(), { low, high } = model.map;
  const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  move(moved(code, [low[0] + x * (high[0] - low[0]), high[1] - y * (high[1] - low[1])]), null);
}

function listen() {
  part("model").addEventListener("change", (event) => choose(data.models[event.target.selectedIndex]));
  line.addEventListener("input", () => move(walk(), walk));
  value.addEventListener("input", () => move(add(), add));
  for (const i of [0, 1]) {
    part(`class-${i}`).addEventListener("change", (event) => setEnd(i, next(+event.target.value, -1)));
    part(`next-${i}`).addEventListener("click", () => setEnd(i, next(data.labels[ends[i]], ends[i])));
  }
  map.addEventListener("pointerdown", (event) => {
    map.setPointerCapture(event.pointerId);
    toPointer(event);
  });
  map.addEventListener("pointermove", (event) => event.buttons && toPointer(event));
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
  map.addEventListener("keydown", (event) => {
    const steps = ways[event.key], { low, high } = model.map;
    if (!steps) return;
    event.preventDefault();
    const share = event.shiftKey ? 0.1 : 0.02;
    const place = placeOf(model.map, code).map((now, k) => now + share * steps[k] * (high[k] - low[k]));
    move(moved(code, place), null);
  });
  darkness.addEventListener("change", legend);
  new ResizeObserver(() => drawMap()).observe(map);
}

function legend() {
  const colours = darkness.matches ? DARK : LIGHT;
  part("legend").hidden = marks.every((mark, place) => mark === data.classes[place]);
  part("legend").replaceChildren(...data.classes.map((name, place) => {
    const item = element("li"), mark = element("b", { textContent: marks[place] });
    mark.style.color = colours[place % colours.length];
    item.append(mark, name);
    return item;
  }));
  if (model) drawMap();
}

const sheet = new Image();
sheet.addEventListener("load", () => {
  const there = [...new Set(data.labels)].sort((a, b) => a - b);
  const like = (label) => (there.includes(label) ? label : there.at(label % there.length));
  ends = [next(like(7), -1), next(like(2), -1)];
  for (const i of [0, 1]) {
    part(`class-${i}`).append(...there.map((label) => element("option", { value: label, textContent: data.classes[label] })));
  }
  part("model-part").hidden = data.models.length < 2;
  legend();
  choose(data.models[0]);
  listen();
});
sheet.src = `data:image/png;base64,${data.sheet}`;
