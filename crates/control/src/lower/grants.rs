//! From `grants:` and `sees:` to what a filter may reach and see.

use std::path::Path;

use weir_model::{
    FileAccess, FileGrant, Grants, HiddenBodies, Pattern, Randomness, Sees, Showing, Variable,
};

use super::maps::Granted;
use crate::file::{
    FileGrantText, GrantsText, GuestPath, HeaderPattern, RedactionText, Seen, SeesText,
    ShowingText, Word,
};
use crate::problem::Refusal;
use crate::shape::Reader;
use crate::shape::basic::List;
use crate::shape::text::FilePath;

/// What stands in the place of a redacted value.
const REDACTED: &str = "***";

pub(super) fn lowered_grants(grants: GrantsText, folder: &Path, reader: &mut Reader<'_>) -> Grants {
    let names = |list: List<crate::shape::text::Text, 0, 1024>| {
        list.0.into_iter().map(|text| text.0).collect::<Vec<_>>()
    };
    let files: Vec<FileGrant> = grants
        .files
        .0
        .into_iter()
        .filter_map(|file| lowered_folder(file, folder, reader))
        .collect();
    let maps = Granted {
        maps: grants.maps,
        default: grants.default_map,
        quota: grants.map_quota,
        rate: grants.map_rate,
        budget: grants.map_budget,
    };
    Grants {
        mode: grants.mode,
        clusters: grants
            .clusters
            .map(|list| list.0.into_iter().map(|one| one.name).collect()),
        vm_ids: grants.vm_ids.map(names),
        foreign_functions: grants.foreign_functions.map(names),
        files,
        maps: maps.lowered(reader),
        clock_resolution: grants.clock.map(|clock| clock.resolution.0),
        randomness: if grants.random {
            Randomness::Granted
        } else {
            Randomness::Denied
        },
        protected_headers: patterns(grants.protected_headers),
        write_headers: patterns(grants.write_headers),
    }
}

fn patterns(list: List<HeaderPattern, 0, 1024>) -> Vec<Pattern> {
    let patterns = list.0.into_iter();
    patterns.map(|HeaderPattern(pattern)| pattern).collect()
}

pub(super) fn lowered_folder(
    grant: FileGrantText,
    folder: &Path,
    reader: &mut Reader<'_>,
) -> Option<FileGrant> {
    let FilePath(written) = &grant.host.value;
    let host = folder.join(written);
    if !host.is_dir() {
        let written = written.display().to_string();
        let what = format!("there is no folder \"{written}\"");
        let expected = format!("a folder at {}", host.display());
        reader.refuse_at(&grant.host.place, Refusal::new(what, &written, expected));
        return None;
    }
    let GuestPath(guest) = grant.guest;
    Some(FileGrant {
        host,
        guest,
        access: if grant.write {
            FileAccess::Write
        } else {
            FileAccess::Read
        },
    })
}

pub(super) fn lowered_sees(sees: SeesText, reader: &mut Reader<'_>) -> Sees {
    let hash_key = sees.hash_key.and_then(|placed| {
        let key = super::lowered_variable(placed.value);
        if key == Variable::Text(String::new()) {
            let what = "the key of hashes is empty";
            let refusal = Refusal::new(what, "", "a text, or { from: NAME }");
            reader.refuse_at(&placed.place, refusal);
            return None;
        }
        Some(key)
    });
    Sees {
        request_headers: rules(sees.request_headers.0, |key: HeaderPattern| key.0),
        response_headers: rules(sees.response_headers.0, |key: HeaderPattern| key.0),
        query: rules(sees.query.0, |key: crate::file::TextPattern| key.0),
        properties: rules(sees.properties.0, |key: crate::file::PropertyPattern| key.0),
        hidden_bodies: HiddenBodies {
            request: sees.request_body == Seen::Hidden,
            response: sees.response_body == Seen::Hidden,
        },
        hash_key,
    }
}

fn rules<K>(
    pairs: Vec<(K, ShowingText)>,
    pattern: impl Fn(K) -> Pattern,
) -> Vec<(Pattern, Showing)> {
    let lowered = |(key, showing)| (pattern(key), lowered_showing(showing));
    pairs.into_iter().map(lowered).collect()
}

fn lowered_showing(showing: ShowingText) -> Showing {
    match showing {
        ShowingText::Word(Word::Show) => Showing::Show,
        ShowingText::Word(Word::Hide) => Showing::Hide,
        ShowingText::Word(Word::Hash) => Showing::Hash,
        ShowingText::Word(Word::Redact) => Showing::Text(REDACTED.to_owned()),
        ShowingText::Redacted(RedactionText {
            text: Some(text), ..
        }) => Showing::Text(text.0),
        ShowingText::Redacted(redaction) => Showing::Ends {
            first: redaction.first.to(),
            last: redaction.last.to(),
        },
    }
}
