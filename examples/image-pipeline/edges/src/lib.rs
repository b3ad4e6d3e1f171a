//! A stage of the image pipeline: edges of a grey picture, by Sobel's operator: the two gradients'
//! absolute values added, at most 255. Beyond the picture lie its outermost pixels again. It has no
//! grant.
#![cfg_attr(target_arch = "wasm32", no_std)]

use pipeline_stage::{Answer, Failure, Request, filter};

pipeline_stage::bare!();
pipeline_stage::handler!(handle_request);

fn handle_request(request: &Request) -> Result<Answer, Failure> {
    filter(request, 1, edges)
}

fn edges(from: &[u8], to: &mut [u8], (width, height): (usize, usize)) {
    let row = |y: usize| &from[y * width..][..width];
    for (y, place) in to.chunks_exact_mut(width).enumerate() {
        let rows = [
            row(y.saturating_sub(1)),
            row(y),
            row((y + 1).min(height - 1)),
        ];
        let done = fast::edges(rows, place);
        for x in (0..1).chain(1 + done..width) {
            place[x] = edge(rows, x);
        }
    }
}

/// One pixel.
fn edge([above, here, below]: [&[u8]; 3], x: usize) -> u8 {
    let (left, right) = (x.saturating_sub(1), (x + 1).min(here.len() - 1));
    let at = |row: &[u8], x: usize| i32::from(row[x]);
    let across = at(above, right) - at(above, left)
        + 2 * (at(here, right) - at(here, left))
        + at(below, right)
        - at(below, left);
    let down =
        at(below, left) - at(above, left) + 2 * (at(below, x) - at(above, x)) + at(below, right)
            - at(above, right);
    u8::try_from(across.abs() + down.abs()).unwrap_or(u8::MAX)
}

#[cfg(target_arch = "wasm32")]
mod fast {
    use core::arch::wasm32::{
        i16x8_abs, i16x8_add, i16x8_shl, i16x8_sub, u8x16_narrow_i16x8, u16x8_load_extend_u8x8,
        v128, v128_store,
    };

    /// Pixels from the second on, sixteen at a time; answers how many it has done.
    #[target_feature(enable = "simd128")]
    pub(super) fn edges(rows: [&[u8]; 3], place: &mut [u8]) -> usize {
        let inner = place.len().saturating_sub(2);
        let done = inner / 16 * 16;
        for x in (1..=done).step_by(16) {
            // SAFETY: from x - 1, eighteen pixels are there: the last of them is at most that at
            // `done` + 1, which is within the row. All rows are as long as the place.
            unsafe {
                let edges = u8x16_narrow_i16x8(eight(rows, x), eight(rows, x + 8));
                v128_store(place.as_mut_ptr().add(x).cast(), edges);
            }
        }
        done
    }

    /// Eight pixels.
    ///
    /// # Safety
    /// Ten are there from x - 1 on.
    #[target_feature(enable = "simd128")]
    unsafe fn eight(rows: [&[u8]; 3], x: usize) -> v128 {
        // SAFETY: the caller promises that they are there.
        let load =
            |row: usize, x: usize| unsafe { u16x8_load_extend_u8x8(rows[row].as_ptr().add(x)) };
        let three = |row: usize| [load(row, x - 1), load(row, x), load(row, x + 1)];
        let [above, beside, below] = [three(0), three(1), three(2)];
        let weighed = |of: [v128; 3]| i16x8_add(i16x8_add(of[0], of[2]), i16x8_shl(of[1], 1));
        let column = |at: usize| weighed([above[at], beside[at], below[at]]);
        let across = i16x8_sub(column(2), column(0));
        let down = i16x8_sub(weighed(below), weighed(above));
        i16x8_add(i16x8_abs(across), i16x8_abs(down))
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod fast {
    pub(super) fn edges(_: [&[u8]; 3], _: &mut [u8]) -> usize {
        0
    }
}
