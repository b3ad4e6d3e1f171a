//! Code that is compiled as it is, for engines of other rooms: what functions run.

use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use super::cache::Cache;
use super::key::{Digest, Key};

/// Compiles a component for this engine, or finds its code.
///
/// # Errors
///
/// What is no component, or one that the engine cannot run.
pub fn component(
    engine: &Engine,
    cache: Option<&Cache>,
    bytes: &[u8],
) -> wasmtime::Result<Component> {
    let Some(cache) = cache else {
        return Component::from_binary(engine, bytes);
    };
    let key = Key::of_whole(engine, "component", &Digest::of(bytes));
    #[expect(
        unsafe_code,
        reason = "the cache holds what this engine's compiler made"
    )]
    let load = |image: &[u8]| {
        // SAFETY: the cache hands out images only that were stored below under this key, and that
        // nobody else can have written or changed (`Cache`'s invariant).
        unsafe { Component::deserialize(engine, image) }
    };
    if let Some(component) = cache.load_whole(&key, load) {
        return Ok(component);
    }
    let component = Component::from_binary(engine, bytes)?;
    cache.keep_whole(&key, &component.serialize()?);
    Ok(component)
}

/// The same component for another engine of the same settings, without compiling.
///
/// # Errors
///
/// An engine whose settings differ.
pub fn component_again(engine: &Engine, component: &Component) -> wasmtime::Result<Component> {
    let image = component.serialize()?;
    #[expect(unsafe_code, reason = "the image is what the engine's compiler made")]
    // SAFETY: the image was made of a component just now, and nobody else has had it.
    unsafe {
        Component::deserialize(engine, image)
    }
}

/// The same core module for another engine of the same settings, without compiling.
///
/// # Errors
///
/// An engine whose settings differ.
pub fn module_again(engine: &Engine, module: &Module) -> wasmtime::Result<Module> {
    let image = module.serialize()?;
    #[expect(unsafe_code, reason = "the image is what the engine's compiler made")]
    // SAFETY: as for components.
    unsafe {
        Module::deserialize(engine, image)
    }
}

/// Compiles a core module for this engine, or finds its code.
///
/// # Errors
///
/// What is no module, or one that the engine cannot run.
pub fn module(engine: &Engine, cache: Option<&Cache>, bytes: &[u8]) -> wasmtime::Result<Module> {
    let Some(cache) = cache else {
        return Module::from_binary(engine, bytes);
    };
    let key = Key::of_whole(engine, "module", &Digest::of(bytes));
    #[expect(
        unsafe_code,
        reason = "the cache holds what this engine's compiler made"
    )]
    let load = |image: &[u8]| {
        // SAFETY: as for components.
        unsafe { Module::deserialize(engine, image) }
    };
    if let Some(module) = cache.load_whole(&key, load) {
        return Ok(module);
    }
    let module = Module::from_binary(engine, bytes)?;
    cache.keep_whole(&key, &module.serialize()?);
    Ok(module)
}
