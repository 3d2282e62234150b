// Elements, and the scales, ticks and paths that page.js draws curves with.

const NS = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const html = (name, attributes, ...children) => filled(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => filled(document.createElementNS(NS, name), attributes, children);
const known = (value, log) => value !== null && value !== undefined && (!log || value > 0);
const words = (value) => (value === null ? "—" : String(Number(value.toPrecision(4))));

// ---- places

function scaleOf([low, high], from, to, log) {
  const at = log ? Math.log10 : (value) => value;
  return (value) => from + ((at(value) - at(low)) / (at(high) - at(low))) * (to - from);
}

function ends(values, log) {
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  if (!values.length) return [log ? 0.1 : 0, 1];
  if (low === high) return log ? [low / 1.5, high * 1.5] : [low - (Math.abs(low) || 1) / 10, high + (Math.abs(high) || 1) / 10];
  const room = log ? (high / low) ** 0.05 : (high - low) * 0.05;
  return log ? [low / room, high * room] : [low - room, high + room];
}

function ticksOf([low, high], log, most) {
  if (log && high / low > 4) {
    const first = Math.floor(Math.log10(low));
    const decades = Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, i) => 10 ** (first + i));
    const within = (value) => value >= low && value <= high;
    const fine = decades.flatMap((decade) => [decade, 2 * decade, 5 * decade]).filter(within);
    if (fine.length <= most) return fine;
    const every = Math.ceil(decades.length / most);
    return decades.filter((decade, i) => within(decade) && i % every === 0);
  }
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((size) => size * power >= rough) * power;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

// What a vertical axis spans: the lines that are shown, and of their intervals what lies above half the least value.
function spanned(lines, marks, state) {
  const shown = lines.filter((line) => !state.hidden.has(line.label));
  const seeds = (line) => (line.seeds && (state.seeds || line.few) ? line.seeds.flat() : []);
  const drawn = shown.flatMap((line) => [...(line.few ? [] : line.mean), ...seeds(line)]).concat(marks.map((mark) => mark.y));
  const values = drawn.filter((value) => known(value, state.log));
  const floor = state.log ? values.reduce((least, value) => Math.min(least, value), Infinity) / 2 : -Infinity;
  const bands = shown.flatMap((line) => [...(line.low || []), ...(line.high || [])]);
  return ends(values.concat(bands.filter((value) => known(value) && value >= floor)), state.log);
}

// ---- paths

function path(line, values, x, y, log) {
  let pen = "M";
  const parts = values.map((value, i) => {
    if (!known(value, log)) { pen = "M"; return ""; }
    const part = `${pen}${x(line.x[i]).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
    return part;
  });
  return parts.join("");
}

function band(line, x, y, bottom, log) {
  const low = (i) => (known(line.low[i], log) ? Math.min(y(line.low[i]), bottom) : bottom);
  const there = line.x.map((_, i) => known(line.high[i], log) && known(line.low[i]));
  const runs = there.reduce((found, is, i) => {
    if (is && !there[i - 1]) found.push([]);
    if (is) found.at(-1).push(i);
    return found;
  }, []);
  const at = (i, height) => `${x(line.x[i]).toFixed(1)} ${height.toFixed(1)}`;
  return runs.map((run) => run.length > 1
    ? `M${run.map((i) => at(i, y(line.high[i]))).join("L")}L${run.reverse().map((i) => at(i, low(i))).join("L")}Z`
    : `M${at(run[0], y(line.high[run[0]]))}V${low(run[0]).toFixed(1)}`).join("");
}
