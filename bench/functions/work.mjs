// What the handlers do: `work/src/lib.rs` in JavaScript.

/** The answer to a target: a path, and behind a question mark how much of it. */
export function answer(target) {
  const [path, query] = target.split("?");
  const size = Number(query ?? 0);
  switch (path) {
    case "/sha256": return `${hex(sha256(pattern(size * 1024)))}\n`;
    case "/edges": return `${sum(edges(pattern(size * size * 4), size))}\n`;
    case "/mandelbrot": return `${mandelbrot(size)}\n`;
    case "/fill": return `${sum(pattern(size * 1024))}\n`;
    default: return "hello\n";
  }
}

/** Bytes that are not all alike. */
function pattern(count) {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at++) bytes[at] = Math.imul(at, 2654435761) >>> 24;
  return bytes;
}

function sum(bytes) {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return sum;
}

const hex = (words) => Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");

// SHA-256 (FIPS 180-4), without a library on either side.

const START = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/** The first 32 bits of the fractions of the cube roots of the first 64 primes. */
function constants() {
  const constants = new Uint32Array(64);
  for (let number = 2, found = 0; found < 64; number++) {
    let isPrime = true;
    for (let divisor = 2; divisor < number && isPrime; divisor++) isPrime = number % divisor !== 0;
    if (isPrime) constants[found++] = (Math.cbrt(number) % 1) * 4294967296;
  }
  return constants;
}

const right = (word, by) => (word >>> by) | (word << (32 - by));

function sha256(bytes) {
  const table = constants();
  const state = Uint32Array.from(START);
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(bytes.length * 8));
  const words = new Uint32Array(64);
  for (let block = 0; block < padded.length; block += 64) compress(state, view, block, words, table);
  return state;
}

function compress(state, view, block, words, table) {
  for (let at = 0; at < 16; at++) words[at] = view.getUint32(block + at * 4);
  for (let at = 16; at < 64; at++) {
    const early = words[at - 15], late = words[at - 2];
    const one = right(early, 7) ^ right(early, 18) ^ (early >>> 3);
    const two = right(late, 17) ^ right(late, 19) ^ (late >>> 10);
    words[at] = (words[at - 16] + one + words[at - 7] + two) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let at = 0; at < 64; at++) {
    const one = right(e, 6) ^ right(e, 11) ^ right(e, 25);
    const choice = (e & f) ^ (~e & g);
    const first = (h + one + choice + table[at] + words[at]) | 0;
    const two = right(a, 2) ^ right(a, 13) ^ right(a, 22);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    h = g; g = f; f = e;
    e = (d + first) | 0;
    d = c; c = b; b = a;
    a = (first + two + majority) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

/** Edges of a square picture of red, green, blue and opacity: shades of grey, then the sum of both
 * differences (Sobel), at most 255. Its border is black. */
function edges(picture, side) {
  const grey = new Uint8Array(side * side);
  for (let at = 0; at < grey.length; at++) {
    grey[at] = (picture[at * 4] * 77 + picture[at * 4 + 1] * 150 + picture[at * 4 + 2] * 29) >> 8;
  }
  const edges = new Uint8Array(side * side);
  for (let row = 1; row < side - 1; row++) {
    for (let column = 1; column < side - 1; column++) {
      const here = row * side + column, above = here - side, below = here + side;
      const across = grey[above + 1] + 2 * grey[here + 1] + grey[below + 1]
        - grey[above - 1] - 2 * grey[here - 1] - grey[below - 1];
      const along = grey[below - 1] + 2 * grey[below] + grey[below + 1]
        - grey[above - 1] - 2 * grey[above] - grey[above + 1];
      edges[here] = Math.min(Math.abs(across) + Math.abs(along), 255);
    }
  }
  return edges;
}

/** Steps until points of the plane run away, of a square grid, at most a hundred for each. */
function mandelbrot(side) {
  let steps = 0;
  for (let row = 0; row < side; row++) {
    const y0 = (row * 2) / side - 1;
    for (let column = 0; column < side; column++) {
      const x0 = (column * 3) / side - 2;
      let x = 0, y = 0, count = 0;
      while (count < 100 && x * x + y * y <= 4) {
        [x, y] = [x * x - y * y + x0, 2 * x * y + y0];
        count++;
      }
      steps += count;
    }
  }
  return steps;
}
