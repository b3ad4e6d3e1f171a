//! The areas of the reference that statements belong to.

/// A section of the reference's checklist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Its number there.
    pub section: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// Its first statement.
    pub first: u32,
    /// Its last statement.
    pub last: u32,
}

const AREAS: [Area; 20] = [
    area("9.1", "loading and linking", 1, 18),
    area("9.2", "start-up and identity", 19, 45),
    area("9.3", "memory protocol", 46, 54),
    area("9.4", "logging, time, WASI", 55, 68),
    area("9.5", "header maps", 69, 113),
    area("9.6", "buffers", 114, 126),
    area("9.7", "actions and buffering", 127, 150),
    area("9.8", "filter order", 151, 155),
    area("9.9", "local responses", 156, 179),
    area("9.10", "stream control and contexts", 180, 196),
    area("9.11", "properties", 197, 223),
    area("9.12", "HTTP callouts", 224, 240),
    area("9.13", "gRPC", 241, 248),
    area("9.14", "timers, shared data, queues", 249, 264),
    area("9.15", "metrics, foreign functions", 265, 279),
    area("9.16", "failure and policy", 280, 292),
    area("9.17", "capabilities, environment, code", 293, 300),
    area("9.18", "TCP", 301, 306),
    area("9.19", "plugins of SDKs", 307, 310),
    area("10", "Higress", 311, 340),
];

/// What is not in the reference.
const BEYOND: Area = area("–", "beyond the reference", 341, u32::MAX);

const fn area(section: &'static str, title: &'static str, first: u32, last: u32) -> Area {
    Area {
        section,
        title,
        first,
        last,
    }
}

/// All areas, and at the end the one of statements that the reference does not have.
pub fn areas() -> impl Iterator<Item = Area> {
    AREAS.into_iter().chain([BEYOND])
}

impl Area {
    /// Whether a statement is in it.
    #[must_use]
    pub fn holds(&self, number: u32) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

/// The numbers of all statements of the reference.
pub(crate) fn numbers() -> impl Iterator<Item = u32> {
    AREAS.into_iter().flat_map(|area| area.first..=area.last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_follow_one_another() {
        let numbers: Vec<u32> = numbers().collect();
        assert_eq!(numbers, (1..=340).collect::<Vec<_>>());
    }
}
