//! Whether a value is what a schema of an OpenAPI document says: the part of JSON Schema that
//! ours uses.

use serde_json::Value;

/// What is wrong, with the place of each.
pub(crate) fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(document, schema, value, "$", &mut found);
    found
}

fn look(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.strip_prefix('#').unwrap());
        return look(document, target.unwrap_or_else(|| panic!("{name}")), value, place, found);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = |choice: &Value| faults(document, choice, value).is_empty();
        if !choices.iter().any(fits) {
            found.push(format!("{place}: fits none: {value}"));
        }
        return;
    }
    if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
        found.push(format!("{place}: {value} is none of {words:?}"));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        _ => return,
    };
    if !kinds.iter().any(|kind| is(kind, value)) {
        found.push(format!("{place}: {value} is not {kinds:?}"));
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        look(document, &schema["items"], item, &format!("{place}[{number}]"), found);
    }
    if let Some(members) = value.as_object() {
        let needed = schema["required"].as_array().into_iter().flatten();
        let missing = needed.filter(|name| !members.contains_key(name.as_str().unwrap()));
        found.extend(missing.map(|name| format!("{place}: {name} is missing")));
        for (name, member) in members {
            let place = format!("{place}.{name}");
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => found.push(format!("{place}: is not documented")),
                (Value::Null, Value::Null | Value::Bool(true)) => {}
                (Value::Null, others) => look(document, others, member, &place, found),
                (known, _) => look(document, known, member, &place, found),
            }
        }
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_not_as_the_schema_says_is_found() {
    let document = serde_json::json!({ "a": { "type": "object", "required": ["x"], "additionalProperties": false,
        "properties": { "x": { "type": ["integer", "null"] }, "y": { "type": "array", "items": { "enum": ["k"] } } } } });
    let schema = serde_json::json!({ "$ref": "#/a" });
    let faults = |value: Value| faults(&document, &schema, &value);
    assert!(faults(serde_json::json!({ "x": 1, "y": ["k"] })).is_empty());
    assert!(faults(serde_json::json!({ "x": null })).is_empty());
    for wrong in [
        serde_json::json!({}),
        serde_json::json!({ "x": "1" }),
        serde_json::json!({ "x": 1, "z": 1 }),
        serde_json::json!({ "x": 1, "y": ["j"] }),
        serde_json::json!([]),
    ] {
        assert_eq!(faults(wrong.clone()).len(), 1, "{wrong}");
    }
}
