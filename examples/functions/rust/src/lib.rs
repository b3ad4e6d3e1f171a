//! Counts lines, words and bytes of a text: one exported function, without a word of HTTP.

wit_bindgen::generate!({ world: "count", path: "wit" });

struct Count;

export!(Count);

impl Guest for Count {
    fn count(text: String) -> Counts {
        Counts {
            lines: text.bytes().filter(|byte| *byte == b'\n').count() as u64,
            words: text.split_ascii_whitespace().count() as u64,
            bytes: text.len() as u64,
        }
    }
}
