//! Makes a trial smaller as long as it still differs.

use super::trial::{Trial, is_frame};
use crate::trouble::Trouble;

/// Most rounds; each takes something away.
const ROUNDS_MAX: usize = 40;
/// Most candidates that are played at a time.
const CANDIDATES_MAX: usize = 36;

/// Tells which of some trials still differs.
pub(super) type Differs<'a> = dyn FnMut(&[Trial]) -> Result<Option<usize>, Trouble> + 'a;

/// Ever smaller trials that still differed, from the trial itself to the smallest one.
pub(super) fn shrink(trial: &Trial, differs: &mut Differs<'_>) -> Result<Vec<Trial>, Trouble> {
    let mut steps = vec![trial.clone()];
    let mut best = trial.clone();
    for _ in 0..ROUNDS_MAX {
        let mut smaller = None;
        for candidates in candidates(&best).chunks(CANDIDATES_MAX) {
            if let Some(index) = differs(candidates)? {
                smaller = Some(candidates[index].clone());
                break;
            }
        }
        match smaller {
            Some(smaller) => best = smaller,
            None => break,
        }
        steps.push(best.clone());
    }
    Ok(steps)
}

/// Trials with one thing less, the largest things first.
fn candidates(trial: &Trial) -> Vec<Trial> {
    let mut all = Vec::new();
    let mut without = |change: &dyn Fn(&mut Trial)| {
        let mut candidate = trial.clone();
        change(&mut candidate);
        if candidate != *trial && !all.contains(&candidate) {
            all.push(candidate);
        }
    };
    for (index, script) in trial.filters.iter().enumerate() {
        for callback in 0..script.callbacks.len() {
            without(&|trial| {
                keep_only(trial, index, callback);
                trial.request.headers.clear();
                trial.answer.headers.clear();
            });
        }
    }
    if trial.filters.len() > 1 {
        for index in 0..trial.filters.len() {
            without(&|trial| drop(trial.filters.remove(index)));
        }
    }
    for filter in 0..trial.filters.len() {
        // All steps of a filter, then the callbacks, then each step.
        without(&|trial| {
            trial.filters[filter]
                .callbacks
                .iter_mut()
                .for_each(|callback| {
                    callback.steps.retain(|step| is_frame(step));
                });
        });
        for index in 0..trial.filters[filter].callbacks.len() {
            without(&|trial| drop(trial.filters[filter].callbacks.remove(index)));
        }
    }
    without(&|trial| trial.request.breaks_off = false);
    without(&|trial| trial.request.trailers.clear());
    without(&|trial| trial.request.headers.clear());
    without(&|trial| {
        trial.request.chunks = None;
        trial.request.trailers.clear();
        trial.request.breaks_off = false;
    });
    without(&|trial| trial.answer.breaks_off = false);
    without(&|trial| trial.answer.is_early = false);
    without(&|trial| trial.request.hesitates = trial.answer.is_early);
    without(&|trial| trial.answer.trailers.clear());
    without(&|trial| trial.answer.headers.clear());
    without(&|trial| trial.answer.status = 200);
    without(&|trial| {
        trial.answer.chunks = None;
        trial.answer.trailers.clear();
        trial.answer.breaks_off = false;
    });
    for index in 0..trial.request.chunks.as_ref().map_or(0, Vec::len) {
        without(&|trial| take(&mut trial.request.chunks, index));
    }
    for index in 0..trial.answer.chunks.as_ref().map_or(0, Vec::len) {
        without(&|trial| take(&mut trial.answer.chunks, index));
    }
    for (filter, script) in trial.filters.iter().enumerate() {
        without(&|trial| trial.filters[filter].stops_iteration = false);
        for (callback, known) in script.callbacks.iter().enumerate() {
            for step in 0..known.steps.len() {
                without(&|trial| {
                    drop(trial.filters[filter].callbacks[callback].steps.remove(step));
                });
            }
            if !matches!(known.result.as_str(), "" | "0") {
                without(&|trial| {
                    "0".clone_into(&mut trial.filters[filter].callbacks[callback].result);
                });
            }
        }
    }
    all
}

/// Leaves one callback of one filter, and what sees to it that it goes on.
fn keep_only(trial: &mut Trial, filter: usize, callback: usize) {
    trial.filters = vec![trial.filters.swap_remove(filter)];
    for (index, other) in trial.filters[0].callbacks.iter_mut().enumerate() {
        if index != callback {
            other.steps.retain(|step| is_frame(step));
            if !other.result.is_empty() {
                "0".clone_into(&mut other.result);
            }
        }
    }
}

/// Takes one chunk away, unless it is the last one.
fn take(chunks: &mut Option<Vec<String>>, index: usize) {
    if let Some(chunks) = chunks.as_mut().filter(|chunks| chunks.len() > 1) {
        chunks.remove(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::generate;
    use crate::differential::random::Random;

    /// A trial counts as different as long as some filter still reads the path.
    #[test]
    fn what_does_not_matter_goes() {
        let mut random = Random::new(3);
        let mut trial = generate::trial(&mut random);
        let step = "(get 0 \":path\")".to_owned();
        trial.filters[0].callbacks[0].steps.push(step.clone());
        let holds = |trial: &Trial| {
            let mut callbacks = trial.filters.iter().flat_map(|filter| &filter.callbacks);
            callbacks.any(|callback| callback.steps.contains(&step))
        };
        let steps = shrink(&trial, &mut |candidates| {
            Ok(candidates.iter().position(holds))
        });
        let small = steps.unwrap().pop().unwrap();
        assert_eq!(small.filters.len(), 1);
        assert_eq!(small.filters[0].callbacks.len(), 1);
        assert_eq!(small.filters[0].callbacks[0].steps, [step]);
        assert_eq!(small.request.chunks, None);
    }
}
