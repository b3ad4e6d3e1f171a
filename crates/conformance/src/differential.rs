//! The differential fuzzer: random guests and exchanges, played on two hosts, whose observations must
//! be equal.
//!
//! A trial is a chain of one to three random scripts with one exchange. Many trials share a process
//! of each host, each on a listener of its own. What differs is played again alone and more slowly,
//! is shrunk as long as it still differs, and is written down as a statement file.

mod generate;
mod observe;
mod random;
mod shrink;
mod trial;
mod write;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::trouble::{Trouble, at_path};
use crate::watch::Watch;
use observe::{Observed, Pace, differences};
use random::Random;
use trial::Trial;

/// How many trials share a process.
const BATCH: usize = 24;
/// How often a difference is seen again before it counts.
const CONFIRMATIONS: usize = 2;

/// What is played, and for how long.
#[derive(Clone, Debug)]
pub struct Differential {
    /// The two hosts; the second one is the reference.
    pub hosts: [Host; 2],
    /// After that no further trial begins.
    pub time: Duration,
    /// Where randomness begins: equal seeds give equal trials.
    pub seed: u64,
    /// Where findings are written, one statement file each.
    pub findings: PathBuf,
    /// After so many findings it ends.
    pub findings_max: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Trials whose observations were equal.
    pub equal: usize,
    /// Trials that differed once, but not again.
    pub fickle: usize,
    /// Trials that ended the reference itself.
    pub fatal: usize,
    /// Trials that did not differ any more without the kinds of steps of an earlier finding.
    pub repeated: usize,
    /// Confirmed differences, each as text.
    pub findings: Vec<String>,
}

/// A finding, to tell further cases of it.
struct Known {
    trial: Trial,
    found: Vec<(String, [String; 2])>,
}

impl Differential {
    /// Plays until the time is over. `tell` gets each finding, and a line now and then.
    ///
    /// # Errors
    /// If a host cannot be started, or a file cannot be written.
    pub fn run(&self, tell: &dyn Fn(&str)) -> Result<Tally, Trouble> {
        std::fs::create_dir_all(&self.findings).map_err(at_path(&self.findings))?;
        let watch = Watch::start()?;
        let begun = Instant::now();
        let mut random = Random::new(self.seed);
        let mut tally = Tally::default();
        let mut known: Vec<Known> = Vec::new();
        while begun.elapsed() < self.time && tally.findings.len() < self.findings_max {
            let trials: Vec<Trial> = (0..BATCH).map(|_| generate::trial(&mut random)).collect();
            let pairs = self.observe(&trials, Pace::QUICK, &watch)?;
            let trials = trials.iter().zip(&pairs);
            let (equal, different): (Vec<_>, Vec<_>) =
                trials.partition(|(_, pair)| differences(pair).is_empty());
            tally.equal += equal.len();
            tell(&format!("{} of {BATCH} trials differ", different.len()));
            for (trial, pair) in different {
                let is_over = begun.elapsed() > self.time;
                if is_over || tally.findings.len() >= self.findings_max {
                    break;
                }
                if self.is_repeated(trial, pair, &known, &watch)? {
                    tally.repeated += 1;
                    continue;
                }
                known.extend(self.look_closer(trial, &mut tally, tell, &watch)?);
            }
            tell(&format!(
                "{} s: {} trials equal, {} findings, {} like them, {} fickle, {} ended the reference",
                begun.elapsed().as_secs(),
                tally.equal,
                tally.findings.len(),
                tally.repeated,
                tally.fickle,
                tally.fatal,
            ));
        }
        Ok(tally)
    }

    /// Whether a trial that differed is one more case of an earlier finding.
    fn is_repeated(
        &self,
        trial: &Trial,
        pair: &(Observed, Observed),
        known: &[Known],
        watch: &Watch,
    ) -> Result<bool, Trouble> {
        let found = differences(pair);
        if known.iter().any(|known| known.found == found) {
            return Ok(true);
        }
        for known in known {
            if let Some(less) = trial.without_steps_of(&known.trial)
                && !is_different(&self.one(&less, watch)?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Plays a trial that differed again, shrinks it, and writes it down. Gives what was written.
    fn look_closer(
        &self,
        trial: &Trial,
        tally: &mut Tally,
        tell: &dyn Fn(&str),
        watch: &Watch,
    ) -> Result<Option<Known>, Trouble> {
        for _ in 0..CONFIRMATIONS {
            let pair = self.one(trial, watch)?;
            if pair.1.has_died {
                tally.fatal += 1;
                return Ok(None);
            }
            if differences(&pair).is_empty() {
                tally.fickle += 1;
                return Ok(None);
            }
        }
        let steps = shrink::shrink(trial, &mut |candidates| {
            let pairs = self.observe(candidates, Pace::QUICK, watch)?;
            Ok(pairs.iter().position(is_different))
        })?;
        // The last steps may have been luck.
        for trial in steps.iter().rev() {
            let pair = self.one(trial, watch)?;
            if is_different(&pair) {
                self.write_down(trial, &pair, tally, tell)?;
                return Ok(Some(Known {
                    trial: trial.clone(),
                    found: differences(&pair),
                }));
            }
        }
        tally.fickle += 1;
        Ok(None)
    }

    fn write_down(
        &self,
        trial: &Trial,
        pair: &(Observed, Observed),
        tally: &mut Tally,
        tell: &dyn Fn(&str),
    ) -> Result<(), Trouble> {
        let found = differences(pair);
        let number = tally.findings.len() + 1;
        let names = [self.hosts[0].name(), self.hosts[1].name()];
        let text = write::statement(self.seed, trial, &pair.1, &found, &names);
        let path = self.findings.join(format!("{number:03}.yaml"));
        std::fs::write(&path, &text).map_err(at_path(&path))?;
        tell(&format!("--- {}\n{text}", path.display()));
        tally.findings.push(text);
        Ok(())
    }

    /// Plays one trial alone and slowly.
    fn one(&self, trial: &Trial, watch: &Watch) -> Result<(Observed, Observed), Trouble> {
        let pairs = self.observe(std::slice::from_ref(trial), Pace::SLOW, watch)?;
        let pair = pairs.into_iter().next();
        pair.ok_or_else(|| Trouble::Host("nothing was observed".to_owned()))
    }

    /// Plays trials on both hosts at the same time.
    fn observe(
        &self,
        trials: &[Trial],
        pace: Pace,
        watch: &Watch,
    ) -> Result<Vec<(Observed, Observed)>, Trouble> {
        let [one, other] = &self.hosts;
        let (one, other) = std::thread::scope(|scope| {
            let first = scope.spawn(|| observe::observe(trials, one, pace, watch));
            let second = observe::observe(trials, other, pace, watch);
            (first.join(), second)
        });
        let one = one.map_err(|_| Trouble::Host("a thread of the kit panicked".to_owned()))??;
        Ok(one.into_iter().zip(other?).collect())
    }
}

/// Whether both hosts showed something, but not the same.
fn is_different(pair: &(Observed, Observed)) -> bool {
    !pair.1.has_died && !differences(pair).is_empty()
}
