//! A stage of the image pipeline: packs what the stages before have made as PNG and puts it into the
//! map `pictures`, which is all that it is granted, to write.

use pipeline_stage::{Answer, Failure, Request, now, size_of_query, to_read};
use png::{BitDepth, ColorType, Compression, Encoder};
use wasi_map::{Map, Rights};

pipeline_stage::handler!(handle_request);

/// The pictures of a request: name in the map, and the header that carries its ticket.
const PICTURES: [(&str, &str); 2] = [("grey", "x-grey"), ("edges", "x-edges")];

fn handle_request(request: &Request) -> Result<Answer, Failure> {
    let (width, height) = size_of_query(request)?;
    let id = request.argument("id").filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Failure::bad("expected ?id=…"))?;
    let pictures = Map::open("pictures", Rights::WRITE)?;
    let begun = now();
    let bytes = width * height;
    for (number, (name, header)) in PICTURES.into_iter().enumerate() {
        let from = match to_read(request, header)? {
            // Both, one behind the other.
            pipeline_stage::From::Body(body) => {
                let body = body.get(number * bytes..).unwrap_or_default();
                pipeline_stage::From::Body(body.get(..bytes).unwrap_or(body))
            }
            map @ pipeline_stage::From::Map(_) => map,
        };
        let packed = pack(&from.read(bytes)?, (width, height))
            .map_err(|error| Failure(500, format!("{name}: {error}")))?;
        pictures.set(format!("{id}/{name}.png").as_bytes(), &packed)?;
    }
    let mut answer = Answer::of(200, "text/plain", &[][..]);
    let micros = (now() - begun) / 1000;
    answer.headers.push(("x-micros", micros.to_string()));
    Ok(answer)
}

fn pack(pixels: &[u8], (width, height): (usize, usize)) -> Result<Vec<u8>, png::EncodingError> {
    let mut packed = Vec::new();
    let side = |length| u32::try_from(length).unwrap_or(u32::MAX);
    let mut encoder = Encoder::new(&mut packed, side(width), side(height));
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(packed)
}
