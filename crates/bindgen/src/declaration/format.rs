//! The one form of a `.map` file: one setting a line, four spaces, no words of the draft.

use std::fmt::Write as _;

/// A statement with its comments: those before it, and the one behind it, which may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// `use`: comments, path, names, trailing comment.
    Use(Vec<String>, String, Vec<String>, String),
    /// `map`: comments, everything before the braces, settings, trailing comment.
    Map(Vec<String>, String, Vec<Setting>, String),
    /// Comments at the end of the file.
    Comments(Vec<String>),
}

/// A setting with its comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// Comments, name, value, trailing comment.
    Value(Vec<String>, String, String, String),
    /// Comments behind the last setting.
    Comments(Vec<String>),
}

/// The file's text.
pub(super) fn text(lines: &[Line]) -> String {
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let follows_use = at > 0 && matches!(lines[at - 1], Line::Use(..));
        let is_close =
            follows_use && matches!(line, Line::Use(comments, ..) if comments.is_empty());
        if at > 0 && !is_close {
            out.push('\n');
        }
        statement(&mut out, line);
    }
    out
}

fn statement(out: &mut String, line: &Line) {
    match line {
        Line::Comments(comments) => before(out, "", comments),
        Line::Use(comments, path, names, trailing) => {
            before(out, "", comments);
            let _ = write!(out, "use {path}.{{{}}};", names.join(", "));
            behind(out, trailing);
        }
        Line::Map(comments, head, settings, trailing) => {
            before(out, "", comments);
            let _ = write!(out, "{head} {{");
            if !settings.is_empty() {
                out.push('\n');
                for setting in settings {
                    self::setting(out, setting);
                }
            }
            out.push('}');
            behind(out, trailing);
        }
    }
}

fn setting(out: &mut String, setting: &Setting) {
    match setting {
        Setting::Comments(comments) => before(out, "    ", comments),
        Setting::Value(comments, name, value, trailing) => {
            before(out, "    ", comments);
            let _ = write!(out, "    {name} = \"{value}\";");
            behind(out, trailing);
        }
    }
}

fn before(out: &mut String, indent: &str, comments: &[String]) {
    for comment in comments {
        let _ = writeln!(out, "{indent}{comment}");
    }
}

fn behind(out: &mut String, comment: &str) {
    if comment.is_empty() {
        out.push('\n');
    } else {
        let _ = writeln!(out, " {comment}");
    }
}
