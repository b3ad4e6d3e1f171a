//! Nodes by number. It grows by chunks, so that a million nodes are never moved under the lock.
//!
//! Invariant: an id is never given twice. Its low half is the place, its high half the generation.

use super::Node;

const CHUNK: usize = 1024;

#[derive(Default)]
pub(super) struct Slab {
    chunks: Vec<Vec<Place>>,
    free: Option<u32>,
    places: u32,
}

struct Place {
    generation: u32,
    content: Content,
}

enum Content {
    Node(Box<Node>),
    /// And the next free place.
    Free(Option<u32>),
}

impl Slab {
    /// The id of the node that is inserted next.
    pub(super) fn next_id(&self) -> u64 {
        match self
            .free
            .and_then(|index| self.place(index).map(|place| (index, place)))
        {
            Some((index, place)) => id(index, place.generation),
            None => id(self.places, 1),
        }
    }

    pub(super) fn insert(&mut self, node: Node) {
        let content = Content::Node(Box::new(node));
        let Some(index) = self.free else {
            self.push(content);
            return;
        };
        if let Some(place) = self.place_mut(index) {
            let next = match place.content {
                Content::Free(next) => next,
                Content::Node(_) => None,
            };
            place.content = content;
            self.free = next;
        }
    }

    pub(super) fn get(&self, id: u64) -> Option<&Node> {
        let (index, generation) = halves(id);
        let place = self.place(index)?;
        place.node().filter(|_| place.generation == generation)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Node> {
        let (index, generation) = halves(id);
        match self.place_mut(index)? {
            Place {
                generation: now,
                content: Content::Node(node),
            } if *now == generation => Some(node),
            Place { .. } => None,
        }
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Box<Node>> {
        let (index, generation) = halves(id);
        let free = self.free;
        let place = self.place_mut(index)?;
        if place.generation != generation || place.node().is_none() {
            return None;
        }
        // A place whose generations are used up is never given again.
        let again = place.generation.checked_add(1);
        place.generation = again.unwrap_or(generation);
        let content = std::mem::replace(&mut place.content, Content::Free(free));
        if again.is_some() {
            self.free = Some(index);
        }
        match content {
            Content::Node(node) => Some(node),
            Content::Free(_) => None,
        }
    }

    /// Places that were ever used.
    pub(super) fn places(&self) -> u32 {
        self.places
    }

    /// The node at a place, if there is one.
    pub(super) fn at(&self, index: u32) -> Option<(u64, &Node)> {
        let place = self.place(index)?;
        Some((id(index, place.generation), place.node()?))
    }

    fn push(&mut self, content: Content) {
        let index = self.places;
        if split(index).0 == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(chunk) = self.chunks.get_mut(split(index).0) {
            chunk.push(Place {
                generation: 1,
                content,
            });
            self.places += 1;
        }
    }

    fn place(&self, index: u32) -> Option<&Place> {
        let (chunk, offset) = split(index);
        self.chunks.get(chunk)?.get(offset)
    }

    fn place_mut(&mut self, index: u32) -> Option<&mut Place> {
        let (chunk, offset) = split(index);
        self.chunks.get_mut(chunk)?.get_mut(offset)
    }
}

impl Place {
    fn node(&self) -> Option<&Node> {
        match &self.content {
            Content::Node(node) => Some(node),
            Content::Free(_) => None,
        }
    }
}

fn split(index: u32) -> (usize, usize) {
    (index as usize / CHUNK, index as usize % CHUNK)
}

fn id(index: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(index)
}

fn halves(id: u64) -> (u32, u32) {
    let low = u32::try_from(id & u64::from(u32::MAX)).unwrap_or_default();
    let high = u32::try_from(id >> 32).unwrap_or_default();
    (low, high)
}
