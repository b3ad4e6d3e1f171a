//! What a process needs of a program: its compiled code, the images that its memories begin with, and
//! what was found in its module. Files go as descriptors, so that no process has a copy.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use weir_model::Dialect;

use crate::abi::AbiVersion;
use crate::engine::{Engine, EngineKind};
use crate::image::Image;
use crate::memory::Seed;
use crate::prepare::Facts;
use crate::program::Program;
use crate::snapshot::Snapshot;

/// What is said of a program's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What runs it.
    pub engine: EngineKind,
    /// What the module's marker declares.
    pub version: AbiVersion,
    /// Whose rules it runs under.
    pub dialect: Dialect,
    /// What the preparation found in the module.
    pub facts: Facts,
    /// What its memories begin with.
    pub memories: Vec<Beginning>,
}

/// What one memory begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Bytes that the guest can use.
    pub bytes: u64,
    /// Parts that may hold something else than zeros, each from its first byte to behind its last;
    /// none: there is no file for it.
    pub filled: Vec<(u64, u64)>,
}

impl Manifest {
    /// The manifest of a program, and its files in their order.
    pub(super) fn of(program: &Program) -> io::Result<(Self, Vec<&File>)> {
        let mut files = vec![program.code()?];
        let seeds = program.start_image.memories();
        files.extend(seeds.iter().filter_map(|seed| seed.image.file()));
        let beginning = |seed: &Seed| Beginning {
            bytes: seed.bytes as u64,
            filled: {
                let filled = seed.image.filled().iter();
                filled
                    .map(|part| (part.start as u64, part.end as u64))
                    .collect()
            },
        };
        let manifest = Self {
            engine: program.engine,
            version: program.version,
            dialect: program.dialect,
            facts: program.facts.clone(),
            memories: seeds.iter().map(beginning).collect(),
        };
        Ok((manifest, files))
    }

    /// The program behind a manifest.
    pub(super) fn program(&self, engine: &Engine, files: Vec<File>) -> Result<Program, String> {
        let mut files = VecDeque::from(files);
        let code = files.pop_front().ok_or("the code is missing")?;
        let mut seeds = Vec::with_capacity(self.memories.len());
        for memory in &self.memories {
            let file = if memory.filled.is_empty() {
                None
            } else {
                Some(files.pop_front().ok_or("an image is missing")?)
            };
            let filled = memory.filled.iter().map(|(start, end)| {
                let place = |at: u64| usize::try_from(at).map_err(|error| error.to_string());
                Ok(place(*start)?..place(*end)?)
            });
            let filled = filled.collect::<Result<_, String>>()?;
            let image = Image::adopt(file, filled).map_err(|error| error.to_string())?;
            seeds.push(Seed {
                image: Arc::new(image),
                bytes: usize::try_from(memory.bytes).map_err(|error| error.to_string())?,
            });
        }
        let start_image = Snapshot::of(self.facts.identity, seeds, None);
        Program::received(
            (engine, self.engine),
            code,
            (self.version, self.dialect),
            (&self.facts, start_image),
        )
        .map_err(|error| error.to_string())
    }
}

/// The compiled code of a module as a file without a name that nobody can change any more.
pub(crate) fn code_file(module: &wasmtime::Module) -> io::Result<File> {
    let code = module.serialize().map_err(io::Error::other)?;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("weir-code", flags)?);
    file.write_all(&code)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, seals)?;
    Ok(file)
}
