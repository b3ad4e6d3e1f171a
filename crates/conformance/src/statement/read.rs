//! From YAML to statements: cases, and the values of their placeholders.

use std::fmt::Write as _;
use std::path::Path;

use super::{Case, Scene, Statement, Step};
use crate::trouble::Misread;
use crate::yaml::{self, Fields, Node, Value};

/// Keys of a case that are not of its scene.
const OF_CASE: [&str; 6] = ["name", "with", "steps", "only", "needs", "open"];
/// Keys of a statement that are not of a case.
const OF_STATEMENT: [&str; 6] = ["statement", "needs", "differs", "unseen", "open", "cases"];
/// Most cases of one statement, all values of placeholders together.
const CASES_MAX: usize = 500;

/// Reads one statement. `folder`: where files that it names are.
pub(super) fn statement(number: u32, text: &str, folder: &Path) -> Result<Statement, Misread> {
    let node = yaml::read(text)?;
    let entries = node.mapping()?;
    let (own, shared): (Vec<_>, Vec<_>) = entries
        .iter()
        .cloned()
        .partition(|(key, _)| OF_STATEMENT.contains(&key.as_str()));
    let own = Node {
        line: node.line,
        value: Value::Mapping(own),
    };
    let mut fields = Fields::of(&own)?;
    let mut statement = Statement {
        number,
        text: fields.need("statement")?.text()?.to_owned(),
        needs: needs(&mut fields)?,
        differs: fields.text("differs")?,
        unseen: fields.text("unseen")?,
        open: open(&mut fields)?,
        cases: Vec::new(),
    };
    let cases = match fields.take("cases") {
        None => vec![Node {
            line: node.line,
            value: Value::Mapping(shared),
        }],
        Some(cases) => {
            let cases = cases.list()?.iter();
            cases
                .map(|case| overlaid(&shared, case))
                .collect::<Result<_, _>>()?
        }
    };
    fields.finish()?;
    for case in &cases {
        statement.cases.extend(variants(case, folder)?);
    }
    if statement.cases.len() > CASES_MAX {
        let what = format!("more than {CASES_MAX} cases");
        return Err(Misread::new(node.line, what));
    }
    check_reason(&statement)?;
    Ok(statement)
}

/// What a host must have.
fn needs(fields: &mut Fields) -> Result<Vec<String>, Misread> {
    let needs = fields.take("needs");
    needs.map_or(Ok(Vec::new()), Node::text_or_texts)
}

/// What is missing where.
fn open(fields: &mut Fields) -> Result<Vec<(String, String)>, Misread> {
    let Some(open) = fields.take("open") else {
        return Ok(Vec::new());
    };
    let entries = open.mapping()?.iter();
    entries
        .map(|(host, what)| Ok((host.clone(), what.text()?.to_owned())))
        .collect()
}

/// A case with the keys of the statement that it does not have itself.
fn overlaid(shared: &[(String, Node)], case: &Node) -> Result<Node, Misread> {
    let mut entries = case.mapping()?.to_vec();
    for (key, value) in shared {
        match entries.iter_mut().find(|(known, _)| known == key) {
            None => entries.push((key.clone(), value.clone())),
            Some((_, own)) if key == "with" => merge(own, value),
            Some(_) => {}
        }
    }
    Ok(Node {
        line: case.line,
        value: Value::Mapping(entries),
    })
}

/// Adds the placeholders of a statement to those of a case.
fn merge(own: &mut Node, shared: &Node) {
    if let (Value::Mapping(own), Value::Mapping(shared)) = (&mut own.value, &shared.value) {
        for (name, values) in shared {
            if !own.iter().any(|(known, _)| known == name) {
                own.push((name.clone(), values.clone()));
            }
        }
    }
}

/// The case once for each set of values of its placeholders.
fn variants(case: &Node, folder: &Path) -> Result<Vec<Case>, Misread> {
    let with = case.mapping()?.iter().find(|(key, _)| key == "with");
    let Some((_, with)) = with else {
        return Ok(vec![read_case(case, &[], folder)?]);
    };
    let mut cases = Vec::new();
    for values in value_sets(with)? {
        let replaced = case.map_texts(&|text| replace(text, &values));
        cases.push(read_case(&replaced, &values, folder)?);
    }
    Ok(cases)
}

type Values = Vec<(String, String)>;

fn value_sets(with: &Node) -> Result<Vec<Values>, Misread> {
    if let Value::List(sets) = &with.value {
        return sets
            .iter()
            .map(|set| {
                let entries = set.mapping()?.iter();
                entries
                    .map(|(name, value)| Ok((name.clone(), value.text()?.to_owned())))
                    .collect()
            })
            .collect();
    }
    let mut sets: Vec<Values> = vec![Vec::new()];
    for (name, values) in with.mapping()? {
        let values = values.text_or_texts()?;
        sets = sets
            .iter()
            .flat_map(|set| {
                values.iter().map(move |value| {
                    let mut set = set.clone();
                    set.push((name.clone(), value.clone()));
                    set
                })
            })
            .collect();
        if sets.len() > CASES_MAX {
            return Err(with.refuse("fewer values"));
        }
    }
    Ok(sets)
}

fn replace(text: &str, values: &Values) -> String {
    let mut text = text.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("<{name}>"), value);
    }
    text
}

fn read_case(node: &Node, values: &[(String, String)], folder: &Path) -> Result<Case, Misread> {
    let (own, scene): (Vec<_>, Vec<_>) = node
        .mapping()?
        .iter()
        .cloned()
        .partition(|(key, _)| OF_CASE.contains(&key.as_str()));
    let mapping = |entries| Node {
        line: node.line,
        value: Value::Mapping(entries),
    };
    let (own, scene) = (mapping(own), mapping(scene));
    let mut fields = Fields::of(&own)?;
    fields.take("with");
    let mut name = fields.text("name")?.unwrap_or_default();
    for (key, value) in values {
        let value: String = value.escape_debug().take(60).collect();
        let _ = write!(name, " {key}={value}");
    }
    let scene = Scene::read(&scene, folder)?;
    let steps = match fields.take("steps") {
        None if scene.is_refused => Vec::new(),
        None => return Err(Misread::new(node.line, "`steps` is missing")),
        Some(steps) => {
            let steps = steps.list()?.iter();
            steps
                .map(|step| Step::read(step, &scene))
                .collect::<Result<_, _>>()?
        }
    };
    let case = Case {
        name: name.trim().to_owned(),
        needs: needs(&mut fields)?,
        only: fields.text("only")?,
        open: open(&mut fields)?,
        scene,
        steps,
    };
    fields.finish()?;
    Ok(case)
}

/// What is played for one host only needs a reason.
fn check_reason(statement: &Statement) -> Result<(), Misread> {
    let mut lines = statement.cases.iter().flat_map(|case| {
        let of_case = case.only.iter().map(|_| 1);
        let of_steps = case.steps.iter().filter(|step| step.only.is_some());
        of_case.chain(of_steps.map(|step| step.line))
    });
    match lines.next() {
        Some(line) if !statement.has_reason() => Err(Misread::new(
            line,
            "`only` without a reason: `differs`, `unseen` or `open` is expected",
        )),
        _ => Ok(()),
    }
}
