// A network in plain JavaScript: `unpack` reads its layers and weights as jaxae/report/explorer/packing.py wrote them,
// `run` computes them. The values of an image lie as [height][width][channels], those of a kernel as [k][l][inputs][outputs].

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

// The number whose 16 bits these are; there are no infinities and no NaN.
function half(bits) {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction;
  return bits >> 15 ? -size : size;
}

function unpack(networks, bytes, precision) {
  let at = 0;
  const take = (Type, count) => new Type(bytes.slice(at, (at += count * Type.BYTES_PER_ELEMENT)).buffer);
  const kernels = {
    float16: (count) => Float32Array.from(take(Uint16Array, count), half),
    int8(count, outputs) {
      const scale = take(Float32Array, outputs);
      return Float32Array.from(take(Int8Array, count), (value, place) => value * scale[place % outputs]);
    },
  };
  const whole = (layer) => {
    if (!layer.shape) return layer;
    const outputs = layer.shape.at(-1);
    const bias = take(Float32Array, outputs);
    return { ...layer, bias, kernel: kernels[precision](layer.shape.reduce((a, b) => a * b), outputs) };
  };
  return Object.fromEntries(Object.entries(networks).map(([name, layers]) => [name, layers.map(whole)]));
}

// y += the pixel of x that begins at `from`, times the matrix of the kernel that begins at `tap`. A zero, of which
// ReLU leaves many, costs nothing.
function addPixel(y, to, x, from, kernel, tap, inputs, outputs) {
  for (let i = 0; i < inputs; i++) {
    const value = x[from + i];
    if (value === 0) continue;
    for (let o = 0, k = tap + i * outputs; o < outputs; o++) y[to + o] += value * kernel[k + o];
  }
}

// Every pixel of x goes through every tap of the kernel to one place: row r and tap a to row place(r, a).
function spread(x, { shape: [rows, columns, inputs, outputs], kernel, bias }, [height, width], place) {
  const [h, w] = x.size, y = new Float64Array(height * width * outputs);
  for (let pixel = 0; pixel < height * width; pixel++) y.set(bias, pixel * outputs);
  for (let r = 0; r < h; r++) for (let a = 0; a < rows; a++) {
    const row = place(r, a);
    if (row < 0 || row >= height) continue;
    for (let c = 0; c < w; c++) for (let b = 0; b < columns; b++) {
      const column = place(c, b);
      if (column < 0 || column >= width) continue;
      const tap = (a * columns + b) * inputs * outputs;
      addPixel(y, (row * width + column) * outputs, x.values, (r * w + c) * inputs, kernel, tap, inputs, outputs);
    }
  }
  return { size: [height, width, outputs], values: y };
}

// Twice the height and width: pixel n of a side is the sum of pixels p of the small one times weight, [p, weight] of(n).
function enlarge(x, of) {
  const [h, w, channels] = x.size, y = new Float64Array(4 * h * w * channels);
  for (let r = 0, to = 0; r < 2 * h; r++) for (let c = 0; c < 2 * w; c++, to += channels) {
    for (const [row, tall] of of(r, h)) for (const [column, wide] of of(c, w)) {
      const from = (row * w + column) * channels;
      for (let i = 0; i < channels; i++) y[to + i] += tall * wide * x.values[from + i];
    }
  }
  return { size: [2 * h, 2 * w, channels], values: y };
}

function between(n, side) {
  const place = (n + 0.5) / 2 - 0.5, low = Math.floor(place);
  return [[Math.max(low, 0), 1 - (place - low)], [Math.min(low + 1, side - 1), place - low]];
}

const KINDS = {
  dense(x, { shape: [inputs, outputs], kernel, bias }) {
    const y = Float64Array.from(bias);
    addPixel(y, 0, x.values, 0, kernel, 0, inputs, outputs);
    return { size: [1, 1, outputs], values: y };
  },
  conv(x, layer) {
    const [rows, columns] = layer.shape, more = 2 * layer.padding + 1;
    const size = [x.size[0] + more - rows, x.size[1] + more - columns];
    return spread(x, layer, size, (n, tap) => n + layer.padding - tap);
  },
  conv_transpose: (x, layer) => spread(x, layer, layer.size, (n, tap) => n * layer.stride + tap - layer.padding),
  image: (x, { size }) => ({ size, values: x.values }),
  nearest: (x) => enlarge(x, (n) => [[n >> 1, 1]]),
  bilinear: (x) => enlarge(x, between),
  relu: (x) => ({ size: x.size, values: x.values.map((value) => Math.max(0, value)) }),
  sigmoid: (x) => ({ size: x.size, values: x.values.map((value) => 1 / (1 + Math.exp(-value))) }),
};

// Numbers through layers: {size: [h, w, c], values}.
function run(layers, numbers) {
  const x = { size: [1, 1, numbers.length], values: Float64Array.from(numbers) };
  return layers.reduce((values, layer) => KINDS[layer.kind](values, layer), x);
}

if (typeof module === "object") module.exports = { bytesOf, unpack, run };
