//! What each filter is granted and sees, made ready for the workers.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_guest::files::Folders;
use weir_model::{Filter, Name, Site, Variable};

use super::PrepareError;
use crate::touched::Touched;
use crate::world::{Key, Rules, Sight};

type ByFilter<T> = BTreeMap<Name, Arc<T>>;

/// What each filter is granted and sees, ready for use, and where it is noted.
pub(super) fn rules(
    site: &Site,
    environment: &BTreeMap<String, Vec<u8>>,
) -> Result<(ByFilter<Rules>, ByFilter<Touched>), PrepareError> {
    let mut of_process = [0; 32];
    getrandom::fill(&mut of_process)
        .map_err(|error| PrepareError::Randomness(error.to_string()))?;
    let (mut rules, mut touched) = (BTreeMap::new(), BTreeMap::new());
    for (name, filter) in &site.filters {
        let folders =
            Folders::open(&filter.grants.files).map_err(|error| PrepareError::Folder {
                filter: name.clone(),
                error,
            })?;
        let sight = match &filter.sees {
            Some(sees) => Some(Sight::of(sees, key_of(filter, environment, &of_process)?)),
            None => None,
        };
        let noted = Arc::<Touched>::default();
        let ready = Rules::new(filter, sight, folders, Arc::clone(&noted));
        rules.insert(name.clone(), Arc::new(ready));
        touched.insert(name.clone(), noted);
    }
    Ok((rules, touched))
}

/// The key of a filter's hashes: its own, or the process's.
fn key_of(
    filter: &Filter,
    environment: &BTreeMap<String, Vec<u8>>,
    of_process: &[u8],
) -> Result<Key, PrepareError> {
    let own = filter.sees.as_ref().and_then(|sees| sees.hash_key.as_ref());
    Ok(match own {
        None => Key::of(of_process),
        Some(Variable::Text(text)) => Key::of(text.as_bytes()),
        Some(Variable::OfGateway(variable)) => {
            let value = environment.get(variable).filter(|value| !value.is_empty());
            let missing = || PrepareError::HashKey {
                filter: filter.name.clone(),
                variable: variable.clone(),
            };
            Key::of(value.ok_or_else(missing)?)
        }
    })
}
