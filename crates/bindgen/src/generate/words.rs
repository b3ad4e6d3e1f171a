//! Words that a language keeps for itself.

const RUST: &str = "as async await become box break const continue crate do dyn else enum extern false final fn for gen if impl in let loop macro match mod move mut override priv pub ref return self Self static struct super trait true try type typeof unsafe unsized use virtual where while yield abstract";
const C: &str = "auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool true false alignas alignof asm and bitand bitor catch class compl concept constexpr const_cast decltype delete dynamic_cast explicit export friend mutable namespace new noexcept not nullptr operator or private protected public reinterpret_cast requires static_assert static_cast template this thread_local throw try typeid typename using virtual wchar_t xor";
const SCRIPT: &str = "abstract any as async await boolean break case catch class const constructor continue debugger declare default delete do else enum export extends false finally for function get if implements import in instanceof interface is keyof let module namespace never new null number of package private protected public readonly require return set static string super switch symbol this throw true try type typeof undefined var void while with yield u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 bool usize isize";
/// What AssemblyScript's library has for everybody.
const ASSEMBLY: &str = "Array ArrayBuffer Boolean DataView Date Error Float32Array Float64Array Function Int16Array Int32Array Int64Array Int8Array Map Math Number Object RangeError Set StaticArray String Symbol TypeError Uint16Array Uint32Array Uint64Array Uint8Array Uint8ClampedArray";
const GO: &str = "break case chan const continue default defer else fallthrough for func go goto if import interface map package range return select struct switch type var main init";
const PYTHON: &str = "False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield match case type self cls";

fn is_in(list: &str, word: &str) -> bool {
    list.split(' ').any(|known| known == word)
}

/// A name in Rust.
pub(super) fn rust(word: &str) -> String {
    match word {
        "self" | "super" | "crate" | "Self" => format!("{word}_"),
        _ if is_in(RUST, word) => format!("r#{word}"),
        _ => word.to_owned(),
    }
}

/// A name in C and C++.
pub(super) fn c(word: &str) -> String {
    behind(C, word)
}

fn behind(list: &str, word: &str) -> String {
    let has_digit_first = word.starts_with(|c: char| c.is_ascii_digit());
    match (is_in(list, word), has_digit_first) {
        (_, true) => format!("_{word}"),
        (true, _) => format!("{word}_"),
        (false, false) => word.to_owned(),
    }
}

/// A name in C++, within a namespace of its own.
pub(super) fn cpp(word: &str) -> String {
    match word {
        "std" | "weir" => format!("{word}_"),
        _ => behind(C, word),
    }
}

/// A name of a package in Go.
pub(super) fn go(word: &str) -> String {
    behind(GO, word)
}

/// A name of a type in AssemblyScript.
pub(super) fn assembly(word: &str) -> String {
    behind(ASSEMBLY, word)
}

/// A name in JavaScript.
pub(super) fn script(word: &str) -> String {
    behind(SCRIPT, word)
}

/// A name in Python.
pub(super) fn python(word: &str) -> String {
    behind(PYTHON, word)
}
