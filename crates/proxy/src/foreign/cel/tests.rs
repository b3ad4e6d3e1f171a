//! Tests of the language: one line, one claim.

use super::*;

fn lookup(path: &[&[u8]]) -> Result<Value, PropertyError> {
    let headers = Value::Map(vec![
        ("host".into(), Value::literal("example.com")),
        ("x-n".into(), Value::literal("7")),
    ]);
    match path {
        [b"request" | b"connection"] => Err(PropertyError::SerializationFailure),
        [b"request", b"path"] => Ok(Value::literal("/api/users?id=1")),
        [b"request", b"size"] => Ok(Value::Int(1024)),
        [b"request", b"time"] => Ok(Value::Timestamp(1_709_209_845_000_000_000)),
        [b"request", b"duration"] => Ok(Value::Duration(1_500_000_000)),
        [b"request", b"headers", rest @ ..] => headers.descend(rest).cloned(),
        [b"connection", b"mtls"] => Ok(Value::Bool(false)),
        [b"connection", b"id"] => Ok(Value::Uint(9)),
        [b"list"] => Ok(Value::List(vec![Value::Int(1), Value::literal("a")])),
        [b"broken"] => Err(PropertyError::InternalFailure),
        [b"a"] => Ok(Value::Int(5)),
        _ => Err(PropertyError::NotFound),
    }
}

fn value(text: &str) -> Result<Value, EvaluateError> {
    let program = Program::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    program.evaluate(&lookup)
}

fn check(text: &str, expected: Value) {
    assert_eq!(value(text), Ok(expected), "{text}");
}

fn holds(text: &str) {
    check(text, Value::Bool(true));
}

fn fails(text: &str, expected: EvaluateError) {
    assert_eq!(value(text), Err(expected), "{text}");
}

fn refused(text: &str) {
    assert!(Program::compile(text).is_err(), "{text}");
}

#[test]
fn literals() {
    check("1", Value::Int(1));
    check("-9223372036854775808", Value::Int(i64::MIN));
    check("0xFF", Value::Int(255));
    check("0xffu", Value::Uint(255));
    check("18446744073709551615u", Value::Uint(u64::MAX));
    check("1.5", Value::Double(1.5));
    check(".5e1", Value::Double(5.0));
    check("1e-2", Value::Double(0.01));
    check("null", Value::Null);
    check("'a\"b'", Value::literal("a\"b"));
    check(
        r#""\x41\u00e9\U0001F600\101\n""#,
        Value::literal("A\u{e9}\u{1F600}A\n"),
    );
    check(r"r'\n'", Value::literal("\\n"));
    check("'''a\n'b'''", Value::literal("a\n'b"));
    check(
        r"b'\xFF\377é'",
        Value::Bytes(Bytes::from_static(b"\xFF\xFF\xC3\xA9")),
    );
    check(r"rb'\x'", Value::Bytes(Bytes::from_static(b"\\x")));
    check(
        "[1, 'a',]",
        Value::List(vec![Value::Int(1), Value::literal("a")]),
    );
    check("{'a': 1}", Value::Map(vec![("a".into(), Value::Int(1))]));
    check(" 1 // one", Value::Int(1));
    for text in [
        "9223372036854775808",
        "18446744073709551616u",
        "1a",
        "1.a(",
        "0x",
        "1e",
        "'a",
        "'a\nb'",
        "'\\q'",
        "'\\x4'",
        "'\\uD800'",
        "b'\\u0041'",
        "'\\400'",
        "'''a''",
        "\\",
        "#",
        "''é",
    ] {
        refused(text);
    }
}

#[test]
fn attributes() {
    holds("request.path.startsWith('/api')");
    holds("request.headers.host == 'example.com'");
    holds("request.headers['x-n'] == '7'");
    holds("request['headers']['host'] == request.headers.host");
    holds(".request.size > 1000");
    holds("request.headers[{'k': 'host'}.k] == 'example.com'");
    holds("'host' in request.headers && !('nope' in request.headers)");
    holds("size(request.headers) == 2 && request.headers.size() == 2");
    holds("list[0] == 1 && list[1u] == 'a'");
    holds("!connection.mtls");
    fails("request.headers.nope", EvaluateError::NotFound);
    fails("nosuch", EvaluateError::NotFound);
    fails("list[2]", EvaluateError::NotFound);
    fails("list[-1]", EvaluateError::NotFound);
    fails("broken", EvaluateError::Attribute);
    fails("request", EvaluateError::Group);
}

#[test]
fn has_tells_presence_of_fields() {
    holds("has(request.headers.host) && !has(request.headers.nope)");
    holds("has(connection.id) && !has(connection.nope)");
    holds("has({'a': 1}.a) && !has({'a': 1}.b)");
    fails("has(nosuch.x)", EvaluateError::NotFound);
    refused("has(request)");
    refused("has(1)");
    refused("has(request.path, 1)");
}

#[test]
fn precedence_and_grouping() {
    check("1 + 2 * 3 - 4 / 2", Value::Int(5));
    check("(1 + 2) * 3 % 5", Value::Int(4));
    check("10 - 3 - 2", Value::Int(5));
    check("- -5", Value::Int(5));
    check("---a", Value::Int(-5));
    holds("!!true");
    holds("true || false && false");
    holds("1 < 2 == true");
    check("false ? 1 : true ? 2 : 3", Value::Int(2));
    check("true ? 1 : 1 / 0", Value::Int(1));
}

#[test]
fn numbers_compare_across_kinds() {
    holds("1 == 1u && 1u == 1.0 && 1.0 == 1");
    holds("-1 < 0u && 1.5 > 1 && 2u >= 1.5 && 1 <= 1.0");
    holds("9007199254740993 > 9007199254740992.0");
    holds("18446744073709551615u < 18446744073709551616.0");
    holds("1e300 > 1 && -1e300 < -1 && 1 != 1.5 && -1.5 < -1");
    holds("0.0 / 0.0 != 0.0 / 0.0 && !(0.0 / 0.0 < 1) && 1.0 / 0.0 > 1");
    holds("1 != '1' && null == null && [1] == [1.0] && {'a': 1, 'b': 2} == {'b': 2u, 'a': 1}");
    holds("'a' < 'b' && b'a' < b'b' && false < true && 1 in [2, 1.0]");
    fails("1 < 'a'", EvaluateError::NoOverload);
    fails("null < null", EvaluateError::NoOverload);
}

#[test]
fn arithmetic_is_checked() {
    fails("9223372036854775807 + 1", EvaluateError::Range);
    fails("-9223372036854775808 / -1", EvaluateError::Range);
    fails("-9223372036854775808 % -1", EvaluateError::Range);
    fails("-(-9223372036854775808)", EvaluateError::Range);
    fails("0u - 1u", EvaluateError::Range);
    fails("1 / 0", EvaluateError::DivisionByZero);
    fails("1u % 0u", EvaluateError::DivisionByZero);
    fails("1 + 1u", EvaluateError::NoOverload);
    fails("1.0 % 1.0", EvaluateError::NoOverload);
    fails("-'a'", EvaluateError::NoOverload);
}

#[test]
fn what_is_joined() {
    check("'a' + 'b'", Value::literal("ab"));
    check("b'a' + b'b'", Value::Bytes(Bytes::from_static(b"ab")));
    check("[1] + [2] == [1, 2]", Value::Bool(true));
    fails("'a' + 1", EvaluateError::NoOverload);
    fails("'a' - 'b'", EvaluateError::NoOverload);
}

#[test]
fn texts_of_other_values() {
    check("string(42) + string(7u)", Value::literal("427"));
    check(
        "string(1.5) + string(true) + string('x') + string(b'y')",
        Value::literal("1.5truexy"),
    );
    check("bytes('a')", Value::Bytes(Bytes::from_static(b"a")));
    fails("string([1])", EvaluateError::NoOverload);
    fails("string(b'\\xff')", EvaluateError::Range);
}

#[test]
fn macros_look_at_every_element() {
    holds("[1, 2, 3].all(x, x > 0) && ![1, 2].all(x, x > 1) && [].all(x, x)");
    holds("[1, 2, 3].exists(x, x > 2) && ![1].exists(x, x > 2) && ![].exists(x, x)");
    holds("[1, 2, 3].exists_one(x, x > 2) && ![1, 2].exists_one(x, x > 0)");
    holds("[1, 2, 3].filter(x, x != 2) == [1, 3]");
    holds("[1, 2].map(x, x * 2) == [2, 4] && [1, 2].map(x, x > 1, x + 1) == [3]");
    holds("{'a': 1, 'b': 2}.exists(key, key == 'b')");
    holds("[{'f': 1}].all(x, x.f == 1 && has(x.f) && !has(x.g))");
    holds("[1, 2].all(x, [3, 4].all(y, x < y))");
    // The inner name hides the outer one.
    holds("[1].all(x, [2].all(x, x == 2))");
}

#[test]
fn an_element_that_decides_absorbs_errors_of_others() {
    holds("['a', 1].exists(x, x == 1 || x > 2)");
    fails("[1, 'a'].all(x, x > 0)", EvaluateError::NoOverload);
    holds("!['a', 1].all(x, x > 2)");
    fails("1.all(x, x)", EvaluateError::NoOverload);
    fails("[1].map(x, nosuch)", EvaluateError::NotFound);
}

#[test]
fn an_expression_that_costs_too_much_ends() {
    let ten = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
    let nested = ["a", "b", "c", "d", "e", "f"]
        .iter()
        .fold("true".to_owned(), |body, name| {
            format!("{ten}.all({name}, {body})")
        });
    fails(&nested, EvaluateError::TooMuch);
    let doubled = (0..16).fold("'0123456789abcdef'".to_owned(), |text, _| {
        format!("[{text}].map(x, x + x)[0]")
    });
    fails(&doubled, EvaluateError::TooMuch);
}

#[test]
fn extensions_are_off_as_in_envoy() {
    for text in [
        "'A'.lowerAscii()",
        "type(1)",
        "[1].all(x)",
        "[1].all(x.y, true)",
        "[1].all(1, true)",
        "all(x, true)",
    ] {
        refused(text);
    }
}

#[test]
fn a_decision_absorbs_errors() {
    check("nosuch && false", Value::Bool(false));
    check("false && nosuch", Value::Bool(false));
    holds("nosuch || true");
    holds("1 || true");
    fails("nosuch && true", EvaluateError::NotFound);
    fails("nosuch || false", EvaluateError::NotFound);
    fails("!1", EvaluateError::NoOverload);
    fails("1 ? 2 : 3", EvaluateError::NoOverload);
}

#[test]
fn functions() {
    holds("request.path.matches('^/api/[a-z]+[?]id=[0-9]+$') && matches('abc', 'b')");
    holds("'abc'.matches({'p': '^a'}.p)");
    holds("'abc'.contains('bc') && 'abc'.endsWith('c') && !'abc'.contains('x')");
    holds("size('h\u{e9}') == 2 && size(b'h\u{e9}') == 3 && size([]) == 0");
    holds("int('-5') == -5 && int(5u) == 5 && int(-5.9) == -5 && uint(5.9) == 5u");
    holds("double('1.5') == 1.5 && double(1) == 1.0 && uint('7') == 7u && dyn(1) == 1");
    fails("int(1e19)", EvaluateError::Range);
    fails("int(0.0 / 0.0)", EvaluateError::Range);
    fails("uint(-1)", EvaluateError::Range);
    fails("uint(-0.5)", EvaluateError::Range);
    fails("int('x')", EvaluateError::Range);
    fails("size(1)", EvaluateError::NoOverload);
    fails("'a'.startsWith(1)", EvaluateError::NoOverload);
    fails("'a'.matches({'p': '('}.p)", EvaluateError::Pattern);
    for text in [
        "'a'.matches('(')",
        "'a'.matches('(\\\\w{999}){999}')",
        "f(1)",
        "size()",
        "contains('a', 'b')",
    ] {
        refused(text);
    }
}

#[test]
fn times() {
    holds("request.time == timestamp('2024-02-29T12:30:45Z')");
    holds("request.time - timestamp('2024-02-29T12:30:44Z') == duration('1s')");
    holds("request.time + duration('1h') > request.time && request.duration < duration('2s')");
    holds("duration('1m') + request.time == request.time + duration('60s')");
    holds("request.time.getFullYear() == 2024 && request.time.getDayOfWeek() == 4");
    holds("duration('90m').getHours() == 1 && request.duration.getMilliseconds() == 500");
    holds("int(request.time) == 1709209845 && timestamp(0) == timestamp('1970-01-01T00:00:00Z')");
    holds("-duration('1s') == duration('-1s')");
    fails("timestamp('yesterday')", EvaluateError::Range);
    fails("request.duration.getMonth()", EvaluateError::NoOverload);
    fails("duration('1s') - request.time", EvaluateError::NoOverload);
}

#[test]
fn what_is_no_expression_is_refused() {
    for text in [
        "", " ", "1 +", "(1", "1)", "[1", "{1", "{'a'}", "a.", "a..b", "a[", "a[]", "? :", "1 ? 2",
        "if", "a.b(", "a b", "!", "-", "[,]", "has(", "{,}", "&&", "a &&", "1 == ", "a.1", "$a",
    ] {
        refused(text);
    }
}

#[test]
fn depth_and_length_are_bounded_on_a_small_stack() {
    let deep =
        |open: &str, close: &str, count| format!("{}1{}", open.repeat(count), close.repeat(count));
    let run = move || {
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("{'a':", "}"),
            ("size([", "])"),
            ("1+(", ")"),
        ] {
            refused(&deep(open, close, 1000));
            let fits = Program::compile(&deep(open, close, limits::EXPRESSION_NESTING_MAX / 2 - 1));
            assert!(fits.is_ok(), "{open}: {fits:?}");
        }
        refused(&format!("1{}", "+1".repeat(1000)));
        let most = limits::EXPRESSION_DEPTH_MAX - 1;
        check(&format!("1{}", "+1".repeat(most)), Value::Int(64));
        refused(&format!("a{}", "[0]".repeat(1000)));
        let cases = format!("{}'last'", "a == 1 ? 'x' : ".repeat(1000));
        check(&cases, Value::literal("last"));
        refused(&"(".repeat(limits::EXPRESSION_BYTES_MAX));
        refused(&" ".repeat(limits::EXPRESSION_BYTES_MAX + 1));
        holds(&format!("{}true", "!".repeat(10_000)));
        check(&format!("{}1", "-".repeat(10_000)), Value::Int(1));
        holds(&format!("true{}", " && true".repeat(1500)));
        holds(&format!("false{} || true", " || false".repeat(1500)));
    };
    let thread = std::thread::Builder::new()
        .stack_size(512 << 10)
        .spawn(run)
        .unwrap();
    assert!(thread.join().is_ok());
}
