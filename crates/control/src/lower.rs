//! From what the file says to what the operator wants: values of `weir_model`.
//!
//! What concerns one value alone was checked when it was read; here stand the checks that need
//! several values or the file system. Invariant: a site is only handed out if nothing was wrong.

mod capsules;
mod chain;
mod failure;
mod functions;
mod grants;
mod listener;
mod maps;
mod stores;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use weir_model::{
    Admin, Build, Cluster, CodeCache, Ejection, Filter, Module, ModuleSource, Name, Node, Site,
    Strictness, Trust, Variable,
};

use crate::file::{
    BuildText, ClusterText, CodeCacheText, EjectionText, FilterText, LimitsText, Manager,
    ModuleText, NodeText, SiteText, TrustText, VariableText,
};
use crate::problem::Refusal;
use crate::shape::basic::{List, Switch};
use crate::shape::text::{FilePath, Text};
use crate::shape::{ModuleFiles, Placed, Reader};

use chain::{lowered_bytes, lowered_uses};
use grants::{lowered_grants, lowered_sees};
use listener::lowered_listeners;

/// Makes the site of a file in a folder.
pub(crate) fn lowered(
    Placed { value: site, place }: Placed<SiteText>,
    folder: &Path,
    reader: &mut Reader<'_>,
) -> Site {
    // The file is the only owner there is.
    let Manager::File = site.managed_by;
    let is_idle = site.listeners.0.is_empty() && site.background.0.is_empty();
    // What was refused may have been what is to be served.
    if is_idle && reader.errors.count() == 0 {
        let expected = "at least one entry under listeners or background";
        reader.refuse_at(&place, Refusal::new("nothing to serve", "", expected));
    }
    let admin = site.admin.map(|admin| admin.address);
    let listeners = lowered_listeners(site.listeners.0, admin.as_ref(), reader);
    let has_capsules = site.capsules.is_some();
    let can_ask = site
        .capsules
        .as_ref()
        .is_some_and(|text| text.secret.is_some());
    let capsules = site
        .capsules
        .map(|text| capsules::lowered_capsules(text, folder));
    let named = |(key, module): (crate::shape::named::Defined<_>, ModuleText)| {
        (
            key.name.clone(),
            lowered_module(key.name, &module, folder, reader),
        )
    };
    let modules = site.modules.0.into_iter().map(named).collect();
    let stores = by_name(
        site.stores.0,
        |key| key.name.clone(),
        |name, store| stores::lowered_store((&name, store), folder, reader),
    );
    let stores: BTreeMap<_, _> = stores
        .into_iter()
        .filter_map(|(name, store)| Some((name, store?)))
        .collect();
    let mut around = maps::Around {
        stores: &stores,
        folder,
        pinned: BTreeMap::new(),
    };
    let maps = by_name(
        site.maps.0,
        |key| key.name.clone(),
        |name, map| maps::lowered_map((&name, &map), &mut around, reader),
    );
    Site {
        listeners,
        clusters: by_name(site.clusters.0, |key| key.name.clone(), lowered_cluster),
        modules,
        filters: by_name(
            site.filters.0,
            |key| key.name.clone(),
            |name, mut filter| {
                let recording = std::mem::replace(&mut filter.capsules, Switch::Off);
                let is_possible = (has_capsules, can_ask);
                let recording = capsules::lowered_recording(recording, is_possible, reader);
                Filter {
                    recording,
                    ..lowered_filter(name, filter, folder, reader)
                }
            },
        ),
        functions: by_name(
            site.functions.0,
            |key| key.name.clone(),
            |name, function| functions::lowered_function(name, function, folder, reader),
        ),
        function_instances: site.function_instances.to(),
        trust: lowered_trust(site.trust, folder, reader),
        maps,
        stores,
        background: lowered_uses(site.background.0),
        admin: admin.map(|address| Admin {
            address: address.value.0,
        }),
        workers: site.workers.0,
        drain_timeout: site.drain_timeout.0,
        node: site.node.map(lowered_node).unwrap_or_default(),
        code_cache: lowered_cache(site.code_cache, folder),
        capsules,
    }
}

fn lowered_cache(cache: Switch<CodeCacheText>, from: &Path) -> CodeCache {
    match cache {
        Switch::Off => CodeCache::Off,
        Switch::On(CodeCacheText { path, size }) => CodeCache::On {
            folder: path.map(|FilePath(path)| from.join(path)),
            bytes_max: size.0,
        },
    }
}

fn lowered_trust(trust: TrustText, folder: &Path, reader: &mut Reader<'_>) -> Trust {
    let mut file = |placed: Placed<FilePath>| {
        let FilePath(written) = placed.value;
        let file = folder.join(&written);
        if let Some(refusal) = refused_file(&file, &written, "certificates in the PEM format") {
            reader.refuse_at(&placed.place, refusal);
        }
        file
    };
    Trust {
        system: trust.system,
        files: trust.files.0.into_iter().map(&mut file).collect(),
    }
}

fn by_name<K, V, T>(
    pairs: Vec<(K, V)>,
    name: impl Fn(&K) -> Name,
    mut lower: impl FnMut(Name, V) -> T,
) -> BTreeMap<Name, T> {
    pairs
        .into_iter()
        .map(|(key, value)| {
            let name = name(&key);
            (name.clone(), lower(name, value))
        })
        .collect()
}

fn lowered_module(
    name: Name,
    module: &ModuleText,
    folder: &Path,
    reader: &mut Reader<'_>,
) -> Module {
    let FilePath(written) = &module.file.value;
    let file = folder.join(written);
    let may_be_missing = module.build.is_some() && reader.module_files == ModuleFiles::ToBeBuilt;
    if let Some(refusal) = refused_file(&file, written, "a WebAssembly module")
        && !may_be_missing
    {
        reader.refuse_at(&module.file.place, refusal);
    }
    Module {
        name,
        source: ModuleSource::File(file),
        build: module
            .build
            .as_ref()
            .map(|build| lowered_build(build, folder)),
    }
}

fn lowered_build(build: &BuildText, folder: &Path) -> Build {
    let folder = match &build.folder {
        Some(FilePath(path)) => folder.join(path),
        None => folder.to_owned(),
    };
    let watched = build.watch.0.iter();
    Build {
        command: build.command.0.clone(),
        watch: watched.map(|FilePath(path)| folder.join(path)).collect(),
        folder,
    }
}

fn refused_file(file: &Path, written: &Path, kind: &str) -> Option<Refusal> {
    let written = written.display().to_string();
    let expected = format!("{kind} at {}", file.display());
    match std::fs::metadata(file) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(_) => Some(Refusal::new(
            format!("\"{written}\" is no file"),
            &written,
            expected,
        )),
        Err(error) => {
            let what = match error.kind() {
                std::io::ErrorKind::NotFound => format!("there is no file \"{written}\""),
                _ => format!("\"{written}\" cannot be read ({error})"),
            };
            Some(Refusal::new(what, &written, expected).suggest(neighbour(file, &written)))
        }
    }
}

/// A file in the same folder with nearly the same name.
fn neighbour(file: &Path, written: &str) -> Option<String> {
    const NEIGHBOURS_MAX: usize = 1000;
    let wanted = file.file_name()?.to_str()?;
    let folder = match file.parent()? {
        folder if folder.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    let names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .take(NEIGHBOURS_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension() == Path::new(wanted).extension())
        .collect();
    let nearest = crate::problem::nearest(wanted, names.iter().map(String::as_str))?;
    let suggestion: PathBuf = Path::new(written).with_file_name(nearest);
    Some(suggestion.display().to_string())
}

fn lowered_cluster(name: Name, cluster: ClusterText) -> Cluster {
    let ejected = |ejection: EjectionText| Ejection {
        consecutive_failures: ejection.consecutive_failures.to(),
        base_time: ejection.base_time.0,
        max_percent: ejection.max_percent.to(),
    };
    Cluster {
        name,
        endpoints: cluster.endpoints.0,
        protocol: cluster.protocol,
        load_balancing: cluster.load_balancing,
        connect_timeout: cluster.connect_timeout.0,
        idle_timeout: cluster.idle_timeout.0,
        max_connections: cluster.max_connections.to(),
        ejection: Switch::on(cluster.ejection).map(ejected),
        dns_refresh: cluster.dns_refresh.0,
        metadata: cluster.metadata.0,
    }
}

fn lowered_filter(
    name: Name,
    filter: FilterText,
    folder: &Path,
    reader: &mut Reader<'_>,
) -> Filter {
    let environment = filter.environment.0.into_iter();
    let vm_id = filter
        .vm_id
        .map_or_else(|| name.clone(), |vm_id| vm_id.0.into());
    Filter {
        name,
        module: filter.module.name,
        vm_id,
        root_id: filter.root_id.0.into(),
        vm_configuration: lowered_bytes(filter.vm_configuration).unwrap_or_default(),
        configuration: lowered_bytes(filter.configuration).unwrap_or_default(),
        environment: environment
            .map(|(name, value)| (name.0, lowered_variable(value)))
            .collect(),
        capabilities: filter
            .capabilities
            .and_then(|names| lowered_capabilities(names, reader)),
        engine: filter.engine,
        grants: filter
            .grants
            .map(|grants| lowered_grants(grants, folder, reader))
            .unwrap_or_default(),
        sees: filter.sees.map(|sees| lowered_sees(sees, reader)),
        isolation: filter.isolation.0,
        limits: filter
            .limits
            .as_ref()
            .map(LimitsText::lowered)
            .unwrap_or_default(),
        on_failure: filter.on_failure.policy,
        failures: failure::lowered_rules(filter.on_failure, reader),
        recycling: failure::lowered_recycling(filter.recycle, filter.isolation.0, reader),
        strictness: if filter.strict_imports {
            Strictness::Strict
        } else {
            Strictness::Tolerant
        },
        dialect: filter.dialect,
        headers_stop_iteration: filter.allow_on_headers_stop_iteration,
        recording: None,
    }
}

/// As in Envoy, an empty list restricts nothing.
fn lowered_capabilities(
    names: Placed<List<Text, 0, 1024>>,
    reader: &mut Reader<'_>,
) -> Option<Vec<String>> {
    let List(listed) = names.value;
    if listed.is_empty() {
        let what = "an empty list of capabilities allows everything";
        reader.warn_at(&names.place, Refusal::new(what, "", ""));
        return None;
    }
    Some(listed.into_iter().map(|name| name.0).collect())
}

fn lowered_variable(value: VariableText) -> Variable {
    match value {
        VariableText::Here(text) => Variable::Text(text.0),
        VariableText::Gateway(source) => Variable::OfGateway(source.from.0),
    }
}

fn lowered_node(node: NodeText) -> Node {
    Node {
        id: node.id.0,
        cluster: node.cluster.0,
        metadata: node
            .metadata
            .0
            .into_iter()
            .map(|(name, value)| (name.0, value.0))
            .collect(),
    }
}
