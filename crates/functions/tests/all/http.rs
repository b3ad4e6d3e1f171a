//! Components that handle HTTP.

use weir_functions::{Kind, Loaded};
use weir_model::FunctionKind;

use crate::world::{answer, function, get, prebuilt, runtime};

#[test]
fn a_component_answers() {
    let function = function(FunctionKind::Auto);
    let loaded = Loaded::new(runtime(), &function, &prebuilt("handler")).unwrap();
    assert_eq!(loaded.kind(), Kind::Http);
    assert_eq!(answer(&loaded, get("/")).unwrap(), (200, "hello".into()));
}
