//! `weir new`: what it writes, and what it refuses.

use weir::Outcome;

use crate::Folder;

#[test]
fn a_project_has_a_source_a_build_a_test_and_a_configuration() {
    let folder = Folder::new();
    let told = folder.run("new filter gate-keeper --lang c --dir @project");
    told.expect(
        Outcome::Fine,
        &["wrote", "main.c", "weir dev --run ./test.sh"],
    );
    let read = |name: &str| {
        let path = folder.path("project").join(name);
        std::fs::read_to_string(path).expect("it was written")
    };
    assert!(read("main.c").contains("gate-keeper"));
    assert!(read("README.md").starts_with("# gate-keeper\n"));
    let configuration = folder.path("project").join("weir.yaml");
    let loaded = weir_control::load_unbuilt(&configuration).expect("a fine configuration");
    let build = loaded.site.modules["gate-keeper"].build.as_ref();
    assert!(build.is_some_and(|build| build.command.contains("gate-keeper.wasm")));
    // Its module is not built yet, which is said.
    folder
        .run("check @project/weir.yaml")
        .expect(Outcome::Problem, &["there is no file \"gate-keeper.wasm\""]);
}

#[test]
fn what_is_there_stays_as_it_is() {
    let folder = Folder::new().with("project", "mine");
    folder
        .run("new filter x --lang rust --dir @project")
        .expect(Outcome::Problem, &["is there already"]);
    let mine = std::fs::read(folder.path("project")).expect("it is there");
    assert_eq!(mine, b"mine");
}

#[test]
fn what_there_is_not_is_told_with_what_there_is() {
    let folder = Folder::new();
    folder
        .run("new filter x --lang cobol --dir @x")
        .expect(Outcome::WrongUse, &["cobol", "assemblyscript"]);
    folder
        .run("new filter x --lang rust --kind core --dir @x")
        .expect(Outcome::Problem, &["--kind is for functions"]);
    folder
        .run("new function x --lang go --kind http --dir @x")
        .expect(
            Outcome::Problem,
            &[
                "no functions with --lang go --kind http",
                "--lang go --kind command",
            ],
        );
    folder.run("new filter x --lang python --dir @x").expect(
        Outcome::Problem,
        &["no filters with --lang python", "filters are core modules"],
    );
    folder
        .run("new filter ../x --lang rust --dir @x")
        .expect(Outcome::Problem, &["\"../x\" is no name for a project"]);
    folder
        .run("new function self --lang rust --dir @x")
        .expect(Outcome::Problem, &["\"self\" is no name for a project"]);
    assert!(!folder.path("x").exists());
}
