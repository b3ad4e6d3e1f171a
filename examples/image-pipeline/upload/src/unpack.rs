//! What is uploaded, and its pixels: red, green, blue, alpha.

use std::io::Cursor;

use pipeline_stage::{Failure, Request, size_of_query};
use png::{ColorType, Decoder, Limits, Reader, Transformations};

/// The most pixels of a picture.
const PIXELS_MAX: u64 = 16 << 20;

/// An upload whose size is known.
pub(crate) enum Upload {
    Pixels(&'static [u8], (usize, usize)),
    Packed(Box<Reader<Cursor<&'static [u8]>>>),
}

impl Upload {
    pub(crate) fn of(request: &Request) -> Result<Self, Failure> {
        let body = request.body;
        if request.header("content-type") == Some("application/octet-stream") {
            let size = size_of_query(request)?;
            let bytes = size.0 * size.1 * 4;
            if body.len() == bytes {
                return Ok(Self::Pixels(body, size));
            }
            let text = format!("expected {bytes} bytes of pixels, but got {}", body.len());
            return Err(Failure(400, text));
        }
        let mut decoder = Decoder::new_with_limits(Cursor::new(body), LIMITS);
        decoder
            .set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
        let reader = decoder.read_info().map_err(|error| broken(&error))?;
        let (width, height) = reader.info().size();
        if u64::from(width) * u64::from(height) > PIXELS_MAX {
            return Err(Failure(
                413,
                format!("expected at most {PIXELS_MAX} pixels"),
            ));
        }
        Ok(Self::Packed(Box::new(reader)))
    }

    pub(crate) fn size(&self) -> (usize, usize) {
        match self {
            Self::Pixels(_, size) => *size,
            Self::Packed(reader) => {
                let (width, height) = reader.info().size();
                (width as usize, height as usize)
            }
        }
    }

    /// Bytes of the pixels.
    pub(crate) fn bytes(&self) -> usize {
        let (width, height) = self.size();
        width * height * 4
    }

    /// Puts the pixels into a place of as many bytes.
    pub(crate) fn unpack(self, place: &mut [u8]) -> Result<(), Failure> {
        let mut reader = match self {
            Self::Pixels(pixels, _) => {
                place.copy_from_slice(pixels);
                return Ok(());
            }
            Self::Packed(reader) => reader,
        };
        if reader.output_color_type().0 == ColorType::Rgba {
            return reader
                .next_frame(place)
                .map(|_| ())
                .map_err(|error| broken(&error));
        }
        // Grey and alpha.
        let bytes = reader.output_buffer_size().unwrap_or(place.len());
        let mut greys = vec![0; bytes];
        reader
            .next_frame(&mut greys)
            .map_err(|error| broken(&error))?;
        for (pixel, grey) in place.chunks_exact_mut(4).zip(greys.chunks_exact(2)) {
            pixel.copy_from_slice(&[grey[0], grey[0], grey[0], grey[1]]);
        }
        Ok(())
    }
}

/// Beside the pixels.
const LIMITS: Limits = Limits { bytes: 16 << 20 };

fn broken(error: &png::DecodingError) -> Failure {
    if matches!(error, png::DecodingError::LimitsExceeded) {
        let text = format!("expected at most {PIXELS_MAX} pixels, and little beside them");
        return Failure(413, text);
    }
    Failure(
        400,
        format!("this is no PNG picture that can be read: {error}"),
    )
}
