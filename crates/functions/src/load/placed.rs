//! Surroundings that hold a place: it is free when the guest has ended and they are dropped.

use std::time::Duration;

use weir_maps::MapCall;

use crate::message::Response;
use crate::runtime::Place;
use crate::surroundings::{Fetch, FetchError, Later, MapAnswer, Stream, Surroundings};

/// See above.
pub(super) struct Placed {
    surroundings: Box<dyn Surroundings>,
    _place: Place,
}

impl Placed {
    pub(super) fn new(surroundings: Box<dyn Surroundings>, place: Place) -> Self {
        Self {
            surroundings,
            _place: place,
        }
    }
}

impl Surroundings for Placed {
    fn log(&mut self, stream: Stream, line: &[u8]) {
        self.surroundings.log(stream, line);
    }

    fn wall_clock(&mut self) -> Duration {
        self.surroundings.wall_clock()
    }

    fn monotonic_clock(&mut self) -> Duration {
        self.surroundings.monotonic_clock()
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.surroundings.random(bytes);
    }

    fn fetch(&mut self, fetch: Fetch) -> Later<Result<Response, FetchError>> {
        self.surroundings.fetch(fetch)
    }

    fn map_call(&mut self, call: MapCall<'_>) -> MapAnswer {
        self.surroundings.map_call(call)
    }
}
