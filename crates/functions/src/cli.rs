//! Components that are programs: `wasi:cli/run` of WASI 0.2 and 0.3.

use wasmtime::Store;
use wasmtime::component::{Component, InstancePre};
use wasmtime_wasi::{p2, p3};

use crate::cell::Cell;

/// The export, without its version.
const RUN: &str = "wasi:cli/run@0.";

/// A program, by the version of WASI that it is written for.
#[derive(Clone)]
pub(crate) enum Program {
    V2(p2::bindings::CommandPre<Cell>),
    V3(p3::bindings::CommandPre<Cell>),
}

/// Whether a component is a program.
pub(crate) fn is_one(component: &Component) -> bool {
    has(component, '2') || has(component, '3')
}

fn has(component: &Component, minor: char) -> bool {
    let ty = component.component_type();
    let mut names = ty.exports(component.engine()).map(|(name, _)| name);
    names.any(|name| {
        name.strip_prefix(RUN)
            .is_some_and(|version| version.starts_with(minor))
    })
}

impl Program {
    /// `None`: the component is none.
    pub(crate) fn new(
        component: &Component,
        linked: InstancePre<Cell>,
    ) -> wasmtime::Result<Option<Self>> {
        // What a toolchain for 0.2 makes of a program for 0.3 has both, and only the newer does
        // something.
        if has(component, '3') {
            return p3::bindings::CommandPre::new(linked).map(|it| Some(Self::V3(it)));
        }
        if has(component, '2') {
            return p2::bindings::CommandPre::new(linked).map(|it| Some(Self::V2(it)));
        }
        Ok(None)
    }

    pub(crate) fn engine(&self) -> &wasmtime::Engine {
        match self {
            Self::V2(program) => program.engine(),
            Self::V3(program) => program.engine(),
        }
    }

    /// Runs it to its end. `Err(())`: it says itself that it failed.
    pub(crate) async fn run(&self, store: &mut Store<Cell>) -> wasmtime::Result<Result<(), ()>> {
        match self {
            Self::V2(program) => {
                let program = program.instantiate_async(&mut *store).await?;
                program.wasi_cli_run().call_run(store).await
            }
            Self::V3(program) => {
                let program = program.instantiate_async(&mut *store).await?;
                let run = store
                    .run_concurrent(async |store| program.wasi_cli_run().call_run(store).await);
                run.await?
            }
        }
    }
}
