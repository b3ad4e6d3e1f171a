//! The one definition of the command line: help, completions and manual pages come from it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use weir_model::limits;

use crate::command::run;
use crate::logging;

/// A gateway that runs WebAssembly plugins inside the request path, and never trusts them.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "weir",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
#[command(after_help = "Exit codes: 0 all is well, 1 a problem was found, 2 wrong use.")]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub output: Output,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How a command speaks.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// What is logged to standard error: off, critical, error, warn, info, debug, trace, or a filter
    /// such as `info,wasm=debug`, where `wasm` are the lines of plugins.
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    #[arg(value_parser = logging::filter_text)]
    pub log: String,
    /// How log lines are written.
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    pub log_format: LogFormat,
    /// When colours are used. `auto`: on a terminal, unless `NO_COLOR` is set.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Colour,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A sentence and fields.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the gateway.
    ///
    /// SIGTERM or SIGINT (Ctrl-C) drains it: requests in flight are finished, then it ends. A second
    /// one ends it at once.
    Serve(Serve),
    /// Begin a project: a filter or a function, with a build, a test and a configuration that runs it.
    ///
    /// Writes a folder of that name. Says what the build needs that is not on this machine.
    New(New),
    /// Work on modules: build what a configuration needs, serve it, and do both again on each change.
    ///
    /// Runs the commands that the configuration has under `modules.NAME.build`. A new build that
    /// fails, and a configuration that is refused, are explained; the gateway from before serves
    /// on. Between one gateway and the next no request is lost. Maps in memory begin empty. Ctrl-C
    /// ends it.
    Dev(Dev),
    /// Check a configuration and its modules, and explain every problem.
    ///
    /// Ends with 1 if there is a problem.
    Check(Check),
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Say what a WebAssembly module is, needs and offers.
    ///
    /// The module is read, not run. Ends with 1 if the file is no valid module.
    Inspect(Inspect),
    /// Show a module as validation sees it, and with `--invoke` a call as it happens: at each
    /// instruction the types or the values on the operand stack.
    ///
    /// Functions that the module imports are answered without the outside: clocks tick, random bytes
    /// are always the same, and what this host does not know answers zeros. Ends with 1 if the module
    /// is refused, or the call does not return.
    Explain(Explain),
    /// Step through a call of a module in the terminal, forwards and backwards.
    ///
    /// The host is that of `weir explain`. `?` shows the keys.
    Debug(Debug),
    /// Compile modules ahead of time, into the cache of compiled code.
    ///
    /// A gateway that finds code there starts at once. Without modules, it says what is there. Ends
    /// with 1 if a module cannot be compiled or kept.
    Compile(Compile),
    /// Run a module: a WASI command or component, or with `--invoke` any export of a core module.
    ///
    /// Its exit code is that of the module; 134 if the module fails (traps), 1 if it cannot be run. Core
    /// modules have the host functions that functions of the gateway have.
    Run(Run),
    /// Run plugins again as capsules have recorded them, and say whether they do the same.
    ///
    /// A capsule is run with its own module, which lies beside it, or with the one that is named: that
    /// shows whether a new version would have failed, too. Ends with 1 if a plugin does something
    /// else, or a capsule cannot be replayed.
    Replay(Replay),
    /// Look into capsules.
    Capsule(CapsuleArguments),
    /// Look into the shared maps of a running gateway, through its admin address.
    ///
    /// Ends with 1 if the gateway refuses, or there is no such map or entry.
    Map(Map),
    /// Write code for typed maps, from `.map`, `.wit` and `.proto` files.
    ///
    /// Types that a `.map` file uses are looked for in the files that are named, or else in those
    /// beside it. Without `--lang` the files are checked. Ends with 1 if there is a mistake.
    Bindgen(Bindgen),
    /// Print the completion script of a shell.
    Completions(Completions),
    /// Print the manual page, or write the pages of all commands into a folder.
    Man(Man),
    /// Run plugins for the gateway that starts this: `isolation: process`.
    #[command(name = weir_guest::apart::COMMAND, hide = true)]
    Plugin,
}

/// Arguments of `weir serve`.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// The configuration.
    #[arg(value_name = "CONFIGURATION", value_hint = ValueHint::FilePath)]
    pub configuration: PathBuf,
    /// Worker threads; overrides the configuration's `workers`.
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
}

/// Arguments of `weir new`.
#[derive(Args, Clone, Debug)]
pub struct New {
    /// What it is to be.
    #[arg(value_name = "WHAT", value_enum)]
    pub what: ProjectKind,
    /// Its name: of the folder, the module and the filter or function.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The language to write it in.
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    pub lang: ProjectLanguage,
    /// How a function is called. Left out: as suits its language.
    #[arg(long, value_name = "KIND", value_enum)]
    pub kind: Option<ProjectCall>,
    /// The folder to write. Left out: NAME, in the current folder.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

/// What a project makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProjectKind {
    /// A handler of requests.
    Function,
    /// A Proxy-Wasm plugin: sees requests and responses that pass.
    Filter,
}

/// Languages of projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProjectLanguage {
    /// Rust.
    Rust,
    /// Go 1.24 or later.
    Go,
    /// C.
    C,
    /// AssemblyScript.
    #[value(name = "assemblyscript")]
    AssemblyScript,
    /// Python 3.10 or later: functions only.
    Python,
    /// JavaScript: functions only.
    #[value(name = "javascript")]
    JavaScript,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProjectCall {
    /// A component with a handler of wasi:http.
    Http,
    /// A program that reads the request from its environment and standard input.
    Command,
    /// A core module with the plain ABI.
    Core,
}

/// Arguments of `weir dev`.
#[derive(Args, Clone, Debug)]
pub struct Dev {
    /// The configuration.
    #[arg(value_name = "CONFIGURATION", default_value = "weir.yaml", value_hint = ValueHint::FilePath)]
    pub configuration: PathBuf,
    /// Worker threads; overrides the configuration's `workers`.
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
    /// Build, serve on free ports, run this command of the shell, and end as it does: for tests.
    ///
    /// It finds the address of the first HTTP listener in `WEIR_URL`, and that of a listener NAME in
    /// `WEIR_URL_NAME`. Clusters that name an address of a listener follow it.
    #[arg(long, value_name = "COMMAND")]
    pub run: Option<String>,
}

/// Arguments of `weir check`.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// The configuration.
    #[arg(value_name = "CONFIGURATION", value_hint = ValueHint::FilePath)]
    pub configuration: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `weir inspect`.
#[derive(Args, Clone, Debug)]
pub struct Inspect {
    /// The module.
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath)]
    pub module: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `weir replay`.
#[derive(Args, Clone, Debug)]
pub struct Replay {
    /// Capsules, or folders of capsules.
    #[arg(value_name = "CAPSULE", required = true, value_hint = ValueHint::AnyPath)]
    pub capsules: Vec<PathBuf>,
    /// Another module than the recorded one.
    #[arg(long, value_name = "MODULE", value_hint = ValueHint::FilePath)]
    pub module: Option<PathBuf>,
    /// Write a report for build servers, too (JUnit's XML).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub junit: Option<PathBuf>,
}

/// Arguments of `weir capsule`.
#[derive(Args, Clone, Debug)]
pub struct CapsuleArguments {
    /// What to do.
    #[command(subcommand)]
    pub action: CapsuleAction,
}

/// The actions of `weir capsule`.
#[derive(Clone, Debug, Subcommand)]
pub enum CapsuleAction {
    /// Print what a capsule holds: of whom it is, then every event, call and reply.
    Show(ShowCapsule),
}

/// Arguments of `weir capsule show`.
#[derive(Args, Clone, Debug)]
pub struct ShowCapsule {
    /// The capsule.
    #[arg(value_name = "CAPSULE", value_hint = ValueHint::FilePath)]
    pub capsule: PathBuf,
}

/// Arguments of `weir explain`.
#[derive(Args, Clone, Debug)]
pub struct Explain {
    /// The module.
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath)]
    pub module: PathBuf,
    /// Only this function: a name or a number. Of a call, only its instructions are shown.
    #[arg(long, value_name = "FUNCTION")]
    pub function: Option<String>,
    /// Call this export with the arguments, and show each instruction that runs.
    #[arg(long, value_name = "EXPORT")]
    pub invoke: Option<String>,
    /// One JSON object a line, for programs.
    #[arg(long)]
    pub batch: bool,
    /// Instructions of a call after which it is left.
    #[arg(long, value_name = "N", default_value_t = limits::debug::TRACED_INSTRUCTIONS)]
    pub steps: u64,
    /// Arguments of the export, as numbers; behind `--` if they begin with a hyphen.
    #[arg(
        value_name = "ARGUMENT",
        allow_negative_numbers = true,
        requires = "invoke"
    )]
    pub arguments: Vec<String>,
}

/// Arguments of `weir debug`.
#[derive(Args, Clone, Debug)]
pub struct Debug {
    /// The module.
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath)]
    pub module: PathBuf,
    /// The export that is called.
    #[arg(long, value_name = "EXPORT")]
    pub invoke: String,
    /// Its arguments, as numbers; behind `--` if they begin with a hyphen.
    #[arg(value_name = "ARGUMENT", allow_negative_numbers = true)]
    pub arguments: Vec<String>,
}

/// Arguments of `weir compile`.
#[derive(Args, Clone, Debug)]
pub struct Compile {
    /// The modules.
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath)]
    pub modules: Vec<PathBuf>,
    /// What the modules are compiled for. A filter with `engine: auto` looks for `cranelift`.
    #[arg(long, value_name = "ENGINE", value_enum, default_value_t)]
    pub engine: CodeEngine,
    /// Folder of the cache; made if it is not there. Left out: the configuration's, or this user's.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache: Option<PathBuf>,
    /// Compile all that this configuration uses, too, each for its filters' engines, or that of
    /// functions.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub configuration: Option<PathBuf>,
}

/// What a module is compiled for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CodeEngine {
    /// Optimised machine code.
    #[default]
    Cranelift,
    /// Machine code made in one pass.
    Winch,
    /// Byte code for an interpreter.
    Pulley,
}

/// Arguments of `weir run`.
#[derive(Args, Clone, Debug)]
pub struct Run {
    /// The module.
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath)]
    pub module: PathBuf,
    /// Call this export with the arguments, and print what it answers. Of a core module a number stands
    /// for a parameter; text for two: its address and length, in memory that the module's allocator
    /// gave. `text:5` is text. Of a component (`name`, or `interface#name`) text stands for a string,
    /// and JSON for everything else.
    #[arg(long, value_name = "EXPORT")]
    pub invoke: Option<String>,
    /// Run `_start` before the export.
    #[arg(long, requires = "invoke")]
    pub start: bool,
    /// What the export answers is text: print that.
    #[arg(long, requires = "invoke")]
    pub text: bool,
    /// A variable that the module sees; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = run::variable)]
    pub env: Vec<(String, String)>,
    /// A folder that the module may read and write, and what it is called there; may be repeated.
    #[arg(long, value_name = "FOLDER[::NAME]", value_parser = run::folder)]
    pub dir: Vec<(PathBuf, String)>,
    /// A host that the module may send requests to, of `http` and `https`; may be repeated.
    #[arg(long, value_name = "HOST[:PORT]", value_parser = run::allowed)]
    pub allow: Vec<String>,
    /// A file with certificates, in the PEM format, of those who sign for servers of `https`, beside
    /// those whom this machine trusts; may be repeated.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca: Vec<PathBuf>,
    /// A shared map, empty and in memory, that the module may use; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub map: Vec<String>,
    /// Arguments of the module, or of the export; behind `--` if they begin with a hyphen.
    #[arg(
        value_name = "ARGUMENT",
        trailing_var_arg = true,
        allow_negative_numbers = true
    )]
    pub arguments: Vec<String>,
}

/// Arguments of `weir map`.
#[derive(Args, Clone, Debug)]
pub struct Map {
    /// The gateway's admin address.
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9901"
    )]
    pub admin: SocketAddr,
    /// Scope of the map, if it has one.
    #[arg(long, global = true, value_name = "SCOPE", default_value = "")]
    pub scope: String,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: MapCommand,
}

/// What `weir map` does.
#[derive(Clone, Debug, Subcommand)]
pub enum MapCommand {
    /// List all maps with their numbers.
    Ls,
    /// Show the numbers of one map.
    Stat {
        /// The map.
        map: String,
    },
    /// Write the value of an entry to standard output: as JSON if the map has a declaration, byte by
    /// byte otherwise.
    Get {
        /// The map.
        map: String,
        /// The key.
        #[command(flatten)]
        key: Key,
        /// The bytes as they are stored.
        #[arg(long)]
        raw: bool,
    },
    /// Store a value.
    Set(MapSet),
    /// Remove an entry.
    Delete {
        /// The map.
        map: String,
        /// The key.
        #[command(flatten)]
        key: Key,
        /// Only if it has this version.
        #[arg(long, value_name = "VERSION")]
        if_version: Option<u64>,
    },
    /// List entries in the order of their keys.
    Scan {
        /// The map.
        map: String,
        /// What their keys begin with.
        #[arg(default_value = "")]
        prefix: String,
        /// At most this many; left out: all.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Tell changes as they happen, until it is interrupted.
    Watch {
        /// The map.
        map: String,
        /// What the keys begin with.
        #[arg(default_value = "")]
        prefix: String,
    },
}

/// Arguments of `weir map set`.
#[derive(Args, Clone, Debug)]
pub struct MapSet {
    /// The map.
    pub map: String,
    /// The key.
    #[command(flatten)]
    pub key: Key,
    /// The value, as JSON if the map has a declaration; left out: standard input.
    #[arg(conflicts_with_all = ["file", "number"])]
    pub value: Option<String>,
    /// The value is stored byte by byte, whatever the map's declaration says.
    #[arg(long, conflicts_with = "number")]
    pub raw: bool,
    /// The value is what this file holds.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "number")]
    pub file: Option<PathBuf>,
    /// The value is a counter that stands at this number.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub number: Option<i64>,
    /// Only if there is no such entry.
    #[arg(long, conflicts_with = "if_version")]
    pub if_absent: bool,
    /// Only if the entry has this version.
    #[arg(long, value_name = "VERSION")]
    pub if_version: Option<u64>,
    /// The entry ends after so many milliseconds.
    #[arg(long, value_name = "MILLISECONDS")]
    pub ttl: Option<u64>,
}

/// A key, as text or as bytes.
#[derive(Args, Clone, Debug)]
pub struct Key {
    /// The key; of a map with a declaration as its type is written: `7`, `true`, `ann`.
    #[arg(value_name = "KEY")]
    pub key: String,
    /// The key is percent-encoded bytes: `%00` is a byte.
    #[arg(long)]
    pub encoded: bool,
}

/// Arguments of `weir bindgen`.
#[derive(Args, Clone, Debug)]
pub struct Bindgen {
    /// The declarations and their types.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// The language to write.
    #[arg(long, value_name = "LANGUAGE", value_enum, requires = "out")]
    pub lang: Option<BindgenLanguage>,
    /// Folder for the code; made if it is not there.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "lang")]
    pub out: Option<PathBuf>,
    /// Name of the module or package. Left out: that of the first file.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Bring the `.map` files into their one form.
    #[arg(long, conflicts_with_all = ["lang", "check"])]
    pub format: bool,
    /// Check that entries of an older schema can still be read: a schema that `--schema` wrote, or
    /// an older `.map` file with its types beside it.
    #[arg(long, value_name = "OLD", value_hint = ValueHint::FilePath)]
    pub check: Option<PathBuf>,
    /// Put the schema into a module, for languages whose generated code does not do that itself
    /// (Go, AssemblyScript, Python, JavaScript): the gateway compares it when it loads the module.
    #[arg(long, value_name = "MODULE", value_hint = ValueHint::FilePath, conflicts_with_all = ["lang", "format", "schema"])]
    pub embed: Option<PathBuf>,
    /// Print the schema as JSON, for `--check` of later versions.
    #[arg(long, conflicts_with_all = ["lang", "format"])]
    pub schema: bool,
}

/// What `weir bindgen` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BindgenLanguage {
    /// Rust, with or without its standard library.
    Rust,
    /// C11.
    C,
    /// C++17, also without exceptions.
    Cpp,
    /// Go.
    Go,
    /// AssemblyScript.
    Assemblyscript,
    /// Python, for components.
    Python,
    /// JavaScript, for components.
    Javascript,
    /// Protobuf's own language.
    Proto,
}

/// Arguments of `weir completions`.
#[derive(Args, Clone, Debug)]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of `weir man`.
#[derive(Args, Clone, Debug)]
pub struct Man {
    /// Folder for the pages; made if it is not there.
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

/// What the arguments say of colours, known even if the rest of them is wrong.
#[must_use]
pub fn colour_choice(arguments: &[OsString]) -> Colour {
    let mut words = arguments.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--color") {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        if let Some(choice) = value.and_then(|value| Colour::from_str(value, false).ok()) {
            return choice;
        }
    }
    Colour::Auto
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    fn check_colour(words: &[&str], expected: Colour) {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        assert_eq!(colour_choice(&words), expected, "{words:?}");
    }

    #[test]
    fn colours_are_known_before_the_rest_is_parsed() {
        check_colour(&["weir"], Colour::Auto);
        check_colour(&["weir", "--color", "never", "nonsense"], Colour::Never);
        check_colour(&["weir", "nonsense", "--color=always"], Colour::Always);
        check_colour(&["weir", "--color"], Colour::Auto);
        check_colour(&["weir", "--color=pink"], Colour::Auto);
    }
}
