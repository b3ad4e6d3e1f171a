//! A stack of ids that grows by chunks: pushing never moves what is there.

const CHUNK: usize = 1024;

#[derive(Default)]
pub(super) struct Stack {
    chunks: Vec<Vec<u64>>,
}

impl Stack {
    pub(super) fn push(&mut self, id: u64) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(id),
            Some(_) | None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(id);
                self.chunks.push(chunk);
            }
        }
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.chunks.last()?.last().copied()
    }

    pub(super) fn pop(&mut self) -> Option<u64> {
        let id = self.chunks.last_mut()?.pop();
        if self.chunks.last().is_some_and(Vec::is_empty) {
            self.chunks.pop();
        }
        id
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }
}
