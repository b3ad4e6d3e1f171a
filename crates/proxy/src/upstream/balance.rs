//! Picking one endpoint of several.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use weir_model::LoadBalancing;

/// Picks by turns, by load or by chance. Starts at a random place, so that workers do not all
/// begin with the same endpoint.
#[derive(Debug)]
pub(super) struct Balancer {
    policy: LoadBalancing,
    turn: Cell<usize>,
    chance: Chance,
}

impl Balancer {
    pub(super) fn new(policy: LoadBalancing) -> Self {
        let chance = Chance::new();
        Self {
            policy,
            turn: Cell::new(chance.below(1 << 16)),
            chance,
        }
    }

    /// An index below `count`, which is not 0. `load` is the requests in flight at an index.
    pub(super) fn pick(&self, count: usize, load: impl Fn(usize) -> usize) -> usize {
        if count < 2 {
            return 0;
        }
        match self.policy {
            LoadBalancing::RoundRobin => {
                let turn = self.turn.get();
                self.turn.set(turn.wrapping_add(1));
                turn % count
            }
            LoadBalancing::Random => self.chance.below(count),
            LoadBalancing::LeastRequest => {
                let one = self.chance.below(count);
                // A second index that is never the first.
                let other = (one + 1 + self.chance.below(count - 1)) % count;
                if load(other) < load(one) { other } else { one }
            }
        }
    }

    pub(super) fn chance(&self) -> &Chance {
        &self.chance
    }
}

/// Small random numbers for balancing and jitter; not for secrets (splitmix64).
#[derive(Debug)]
pub(crate) struct Chance(Cell<u64>);

impl Chance {
    fn new() -> Self {
        Self(Cell::new(RandomState::new().hash_one(0_u8)))
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&self, bound: usize) -> usize {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let scaled = (u128::from(mixed ^ (mixed >> 31)) * bound as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(policy: LoadBalancing, loads: &[usize], picks: usize) -> Vec<usize> {
        let balancer = Balancer::new(policy);
        let mut shares = vec![0; loads.len()];
        for _ in 0..picks {
            shares[balancer.pick(loads.len(), |index| loads[index])] += 1;
        }
        shares
    }

    #[test]
    fn turns_are_even() {
        assert_eq!(shares(LoadBalancing::RoundRobin, &[0, 0, 0], 9), [3, 3, 3]);
    }

    #[test]
    fn the_most_loaded_of_all_is_never_picked() {
        let shares = shares(LoadBalancing::LeastRequest, &[1, 9, 1], 3000);
        assert_eq!(shares[1], 0);
        assert!(shares[0] > 1200 && shares[2] > 1200, "{shares:?}");
    }

    #[test]
    fn chance_is_fair() {
        for share in shares(LoadBalancing::Random, &[0, 0, 0, 0], 4000) {
            assert!((800..1200).contains(&share), "{share}");
        }
    }
}
