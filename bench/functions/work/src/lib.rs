//! What the handlers do. `work.mjs` is the same in JavaScript.

/// The answer to a target: a path, and behind a question mark how much of it.
pub fn answer(target: &str) -> String {
    let (path, size) = target.split_once('?').unwrap_or((target, ""));
    let size = size.parse().unwrap_or(0);
    match path {
        "/sha256" => format!("{}\n", hex(&sha256(&pattern(size * 1024)))),
        "/edges" => format!("{}\n", sum(&edges(&pattern(size * size * 4), size))),
        "/mandelbrot" => format!("{}\n", mandelbrot(size)),
        "/fill" => format!("{}\n", sum(&pattern(size * 1024))),
        _ => "hello\n".to_owned(),
    }
}

/// Bytes that are not all alike.
fn pattern(count: usize) -> Vec<u8> {
    (0..count as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte)).sum()
}

fn hex(words: &[u32; 8]) -> String {
    words.iter().map(|word| format!("{word:08x}")).collect()
}

// SHA-256 (FIPS 180-4), without a library on either side.

const START: [u32; 8] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
];

/// The first 32 bits of the fractions of the cube roots of the first 64 primes.
fn constants() -> [u32; 64] {
    let mut constants = [0; 64];
    let primes = (2_u32..).filter(|number| (2..*number).all(|divisor| number % divisor != 0));
    for (place, prime) in constants.iter_mut().zip(primes) {
        *place = (f64::from(prime).cbrt().fract() * 4_294_967_296.0) as u32;
    }
    constants
}

fn sha256(bytes: &[u8]) -> [u32; 8] {
    let constants = constants();
    let mut state = START;
    let blocks = bytes.chunks_exact(64);
    let mut rest = blocks.remainder().to_vec();
    rest.push(0x80);
    while rest.len() % 64 != 56 {
        rest.push(0);
    }
    rest.extend((bytes.len() as u64 * 8).to_be_bytes());
    for block in blocks.chain(rest.chunks_exact(64)) {
        compress(&mut state, block, &constants);
    }
    state
}

fn compress(state: &mut [u32; 8], block: &[u8], constants: &[u32; 64]) {
    let mut words = [0_u32; 64];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for at in 16..64 {
        let (early, late) = (words[at - 15], words[at - 2]);
        let one = early.rotate_right(7) ^ early.rotate_right(18) ^ (early >> 3);
        let two = late.rotate_right(17) ^ late.rotate_right(19) ^ (late >> 10);
        words[at] = words[at - 16].wrapping_add(one).wrapping_add(words[at - 7]).wrapping_add(two);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for at in 0..64 {
        let one = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let first = h.wrapping_add(one).wrapping_add(choice).wrapping_add(constants[at]).wrapping_add(words[at]);
        let two = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        (h, g, f, e) = (g, f, e, d.wrapping_add(first));
        (d, c, b, a) = (c, b, a, first.wrapping_add(two).wrapping_add(majority));
    }
    for (place, more) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *place = place.wrapping_add(more);
    }
}

/// Edges of a square picture of red, green, blue and opacity: shades of grey, then the sum of both
/// differences (Sobel), at most 255. Its border is black.
fn edges(picture: &[u8], side: usize) -> Vec<u8> {
    let shade = |pixel: &[u8]| {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        ((red * 77 + green * 150 + blue * 29) >> 8) as u8
    };
    let grey: Vec<u8> = picture.chunks_exact(4).map(shade).collect();
    let mut edges = vec![0; side * side];
    for row in 1..side.saturating_sub(1) {
        let line = |row: usize| &grey[row * side..][..side];
        let (above, here, below) = (line(row - 1), line(row), line(row + 1));
        let out = &mut edges[row * side + 1..][..side - 2];
        let windows = above.windows(3).zip(here.windows(3)).zip(below.windows(3));
        for (place, ((up, mid), down)) in out.iter_mut().zip(windows) {
            let at = |line: &[u8], column: usize| i16::from(line[column]);
            let across = at(up, 2) + 2 * at(mid, 2) + at(down, 2) - at(up, 0) - 2 * at(mid, 0) - at(down, 0);
            let along = at(down, 0) + 2 * at(down, 1) + at(down, 2) - at(up, 0) - 2 * at(up, 1) - at(up, 2);
            *place = (across.abs() + along.abs()).min(255) as u8;
        }
    }
    edges
}

/// Steps until points of the plane run away, of a square grid, at most a hundred for each.
fn mandelbrot(side: usize) -> u64 {
    let mut steps = 0;
    for row in 0..side {
        let y0 = row as f64 * 2.0 / side as f64 - 1.0;
        for column in 0..side {
            let x0 = column as f64 * 3.0 / side as f64 - 2.0;
            let (mut x, mut y, mut count) = (0.0, 0.0, 0);
            while count < 100 && x * x + y * y <= 4.0 {
                (x, y) = (x * x - y * y + x0, 2.0 * x * y + y0);
                count += 1;
            }
            steps += count;
        }
    }
    steps
}
