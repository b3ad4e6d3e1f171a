//! `.map` files: what is read, how it is written, what is refused.

use weir_bindgen::declaration::Declarations;

use crate::support::DEMO_MAP;

fn formatted(text: &str) -> String {
    Declarations::parse("a.map", text).unwrap().formatted()
}

#[track_caller]
fn check_refused(text: &str, expected: &[&str]) {
    let problems = Declarations::parse("a.map", text).unwrap_err();
    let told: Vec<_> = problems.0.iter().map(ToString::to_string).collect();
    assert_eq!(told, expected, "{text}");
}

#[test]
fn the_first_drafts_words_are_read_and_formatted_away() {
    let draft = "here we go map<key_t, value_t> data_map { .policy = \"lazy_init\", .storage = \"ssd_backed\" };";
    let expected = "map<key_t, value_t> data_map {\n    policy = \"lazy_init\";\n    storage = \"ssd_backed\";\n}\n";
    assert_eq!(formatted(draft), expected);
}

#[test]
fn what_is_formatted_stays_as_it_is() {
    let messy = "// about\nuse  weir:demo/types . { user ,shape, } ; // those\nuse b.{c};\n\n\n/// Docs.\n map<string,list< option<u8>>>a{// why\n.ttl=\"5s\"/* x */,storage=memory} // end\nmap<u8,result<_,string>> b; // last\n// rest";
    let once = formatted(messy);
    assert_eq!(
        once,
        "// about\nuse weir:demo/types.{user, shape}; // those\nuse b.{c};\n\n/// Docs.\nmap<string, list<option<u8>>> a {\n    // why\n    ttl = \"5s\";\n    /* x */\n    storage = \"memory\";\n} // end\n\nmap<u8, result<_, string>> b {} // last\n\n// rest\n"
    );
    assert_eq!(formatted(&once), once);
    let demo = formatted(DEMO_MAP);
    assert_eq!(formatted(&demo), demo);
}

#[test]
fn all_mistakes_are_told_with_their_places() {
    check_refused(
        "use types{user};\nmap<string user> users {}\nmap<u8, u8> a { polcy = \"eager\"; ttl = \"1y\"; }\nmap<u8, u8> b { policy = \"late\" storage = \"x\" }\nmap<u8, u8> a {}\n§",
        &[
            "a.map:1:10: found `{`; expected `.` and the names in braces, as in `use types.{user};`",
            "a.map:2:12: found `user`; expected `,` and the type of the values",
            "a.map:3:17: there is no setting `polcy`; expected `policy`, `storage`, `ttl` or `encoding`",
            "a.map:3:40: `ttl` is \"1y\"; expected a whole number from 1 on and a unit, as in \"250ms\", \"5s\", \"1m\", \"1h\" or \"7d\"",
            "a.map:4:33: found `storage`; expected `;` after a setting",
            "a.map:5:13: the map `a` is declared twice; expected one of them only; the first is in line 3",
            "a.map:6:1: `§` means nothing here; expected a name, a text in quotes, or one of < > { } , ; . =",
        ],
    );
}

#[test]
fn a_file_that_ends_early_is_refused() {
    check_refused(
        "map<u8, u8> a { policy = \"eager\";",
        &["a.map:1:34: found the end of the file; expected a setting, or `}` after the last one"],
    );
    check_refused(
        "map<u8, u8> a { policy = \"eager",
        &[
            "a.map:1:26: a text without end; expected `\"` on the same line",
            "a.map:1:32: found the end of the file; expected a value, as in `storage = \"durable\"`",
        ],
    );
    check_refused(
        "/* open",
        &["a.map:1:1: a comment without end; expected `*/`"],
    );
    check_refused(
        "here we map<u8, u8> a;",
        &["a.map:1:9: found `map`; expected `go`, as in `here we go map<…>`"],
    );
}

#[test]
fn types_have_a_depth() {
    let deep = format!("map<u8, {}u8{}> a;", "list<".repeat(40), ">".repeat(40));
    let problems = Declarations::parse("a.map", &deep).unwrap_err();
    assert!(
        problems
            .to_string()
            .contains("at most 16 types in each other"),
        "{problems}"
    );
}

/// Pieces of declarations in any order: a reading that has one form, or a refusal.
#[test]
fn any_text_is_read_or_refused() {
    let pieces = [
        "map",
        "<",
        ">",
        "{",
        "}",
        ",",
        ";",
        ".",
        "=",
        "use",
        "types",
        "here we go ",
        "u8",
        "list<",
        "string",
        "\"eager\"",
        "policy",
        "// x\n",
        "/* y */",
        "\n",
        "a",
        "_",
        "result",
        "tuple<",
        "\"",
        "é",
        "map<u8, u8> a {",
        "policy = \"eager\";",
        "use t.{u};",
        "}",
    ];
    let mut dice = crate::support::Dice(5);
    let mut read = 0;
    for _ in 0..30_000 {
        let count = dice.below(9);
        let text: String = (0..count)
            .map(|_| pieces[usize::try_from(dice.below(pieces.len() as u64)).unwrap()])
            .collect();
        match Declarations::parse("a.map", &text) {
            Ok(parsed) => {
                read += 1;
                let once = parsed.formatted();
                assert_eq!(formatted(&once), once, "{text:?}");
            }
            Err(problems) => assert!(!problems.0.is_empty(), "{text:?}"),
        }
    }
    assert!(read > 100, "{read}");
}
