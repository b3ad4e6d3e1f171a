//! A stage of the image pipeline: colours to grey, by the luma of ITU-R BT.601. It has no grant: what
//! it can reach is the picture that it was lent and the map that takes its result.
#![cfg_attr(target_arch = "wasm32", no_std)]

use pipeline_stage::{Answer, Failure, Request, filter};

pipeline_stage::bare!();
pipeline_stage::handler!(handle_request);

/// Red, green and blue of 2^15.
const WEIGHTS: [i16; 3] = [9798, 19235, 3735];

fn handle_request(request: &Request) -> Result<Answer, Failure> {
    filter(request, 4, |from, to, _| grey(from, to))
}

/// `from`: red, green, blue, alpha; alpha is left out.
fn grey(from: &[u8], to: &mut [u8]) {
    let done = fast::grey(from, to);
    let rest = from.chunks_exact(4).zip(to).skip(done);
    for (pixel, grey) in rest {
        let parts = pixel.iter().zip(WEIGHTS);
        let sum: i32 = parts
            .map(|(part, weight)| i32::from(*part) * i32::from(weight))
            .sum();
        *grey = u8::try_from((sum + (1 << 14)) >> 15).unwrap_or(u8::MAX);
    }
}

#[cfg(target_arch = "wasm32")]
mod fast {
    use core::arch::wasm32::{
        i16x8, i16x8_narrow_i32x4, i32x4_add, i32x4_dot_i16x8, i32x4_shr, i32x4_shuffle,
        i32x4_splat, u8x16_narrow_i16x8, u16x8_extend_high_u8x16, u16x8_extend_low_u8x16, v128,
        v128_load, v128_store,
    };

    use super::WEIGHTS;

    /// Sixteen pixels at a time; answers how many it has done.
    #[target_feature(enable = "simd128")]
    pub(super) fn grey(from: &[u8], to: &mut [u8]) -> usize {
        let (from, _) = from.as_chunks::<64>();
        let (to, _) = to.as_chunks_mut::<16>();
        for (pixels, greys) in from.iter().zip(to.iter_mut()) {
            let four = |at: usize| {
                // SAFETY: 64 bytes are there, and `at` is at most 48.
                let pixels: v128 = unsafe { v128_load(pixels.as_ptr().add(at).cast()) };
                luma(pixels)
            };
            let low = i16x8_narrow_i32x4(four(0), four(16));
            let high = i16x8_narrow_i32x4(four(32), four(48));
            // SAFETY: 16 bytes are there.
            unsafe { v128_store(greys.as_mut_ptr().cast(), u8x16_narrow_i16x8(low, high)) };
        }
        16 * from.len().min(to.len())
    }

    /// Four pixels to four numbers.
    #[target_feature(enable = "simd128")]
    fn luma(pixels: v128) -> v128 {
        let [r, g, b] = WEIGHTS;
        let weights = i16x8(r, g, b, 0, r, g, b, 0);
        // Red and green, blue and nothing, of two pixels each.
        let first = i32x4_dot_i16x8(u16x8_extend_low_u8x16(pixels), weights);
        let second = i32x4_dot_i16x8(u16x8_extend_high_u8x16(pixels), weights);
        let sum = i32x4_add(
            i32x4_shuffle::<0, 2, 4, 6>(first, second),
            i32x4_shuffle::<1, 3, 5, 7>(first, second),
        );
        i32x4_shr(i32x4_add(sum, i32x4_splat(1 << 14)), 15)
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod fast {
    pub(super) fn grey(_: &[u8], _: &mut [u8]) -> usize {
        0
    }
}
