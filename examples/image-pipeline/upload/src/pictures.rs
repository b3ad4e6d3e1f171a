//! The two ways in which pictures are handed from stage to stage.

use pipeline_stage::{Failure, KEY, WHOLE, hex};
use wasi_map::{Map, Options, Rights, region};

use crate::called;
use crate::unpack::Upload;

/// A picture that is on its way.
pub(crate) trait Hand: Sized {
    /// What was uploaded, as pixels.
    fn unpacked(upload: Upload) -> Result<Self, Failure>;

    /// What a stage makes of it.
    fn through(&self, stage: &str, query: &str) -> Result<Self, Failure>;

    /// Has pictures stored.
    fn stored(pictures: [&Self; 2], query: &str) -> Result<(), Failure>;
}

/// As a region in a map of its own. A stage gets a ticket to read one and a ticket to fill another,
/// both good while this call lasts.
pub(crate) struct Shared(Map);

impl Shared {
    fn new() -> Result<Self, Failure> {
        Ok(Self(Map::create(&Options::default())?))
    }

    /// A header that lends it to a stage.
    fn lent(&self, header: &str, rights: Rights, stage: &str) -> Result<String, Failure> {
        let ticket = self.0.lend(rights, stage)?;
        Ok(format!("{header}: {}\n", hex(ticket.bytes())))
    }
}

const TO_READ: Rights = Rights::MAP_READ;

impl Hand for Shared {
    fn unpacked(upload: Upload) -> Result<Self, Failure> {
        let made = Self::new()?;
        let bytes = upload.bytes();
        region::create(&made.0, KEY, bytes as u64)?;
        let mut place = region::write(&made.0, KEY, WHOLE(bytes))?;
        upload.unpack(&mut place)?;
        drop(place);
        Ok(made)
    }

    fn through(&self, stage: &str, query: &str) -> Result<Self, Failure> {
        let made = Self::new()?;
        let to_write = Rights::WRITE | Rights::MAP_READ | Rights::MAP_WRITE;
        let headers = self.lent("x-from", TO_READ, stage)? + &made.lent("x-to", to_write, stage)?;
        called(stage, query, &headers, &[])?;
        Ok(made)
    }

    fn stored([grey, edges]: [&Self; 2], query: &str) -> Result<(), Failure> {
        let headers =
            grey.lent("x-grey", TO_READ, "store")? + &edges.lent("x-edges", TO_READ, "store")?;
        called("store", query, &headers, &[]).map(|_| ())
    }
}

/// In the bodies of requests and responses.
pub(crate) struct Copied(Vec<u8>);

impl Hand for Copied {
    fn unpacked(upload: Upload) -> Result<Self, Failure> {
        let mut pixels = vec![0; upload.bytes()];
        upload.unpack(&mut pixels)?;
        Ok(Self(pixels))
    }

    fn through(&self, stage: &str, query: &str) -> Result<Self, Failure> {
        // The body lies in this module's memory already, and stays there.
        called(stage, query, "", &self.0).map(|body| Self(body.to_vec()))
    }

    fn stored([grey, edges]: [&Self; 2], query: &str) -> Result<(), Failure> {
        let both = [&*grey.0, &*edges.0].concat();
        called("store", query, "", &both).map(|_| ())
    }
}
