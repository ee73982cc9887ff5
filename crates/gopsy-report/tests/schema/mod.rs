//! A validator for the part of JSON Schema that the project's schemas use. It is stricter in one point: a field that is
//! in no schema is a violation, so that no field stays undocumented.

use serde_json::Value;

/// Where `value` breaks `schema`; a keyword that the validator does not know counts as broken.
pub(crate) fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    check(schema, schema, value, "$", &mut out);
    out
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else {
        out.push(format!("{at}: the schema is no object"));
        return;
    };
    for (keyword, argument) in keywords {
        match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "additionalProperties" => {}
            "$ref" => {
                let pointer = argument.as_str().and_then(|r| r.strip_prefix('#'));
                match pointer.and_then(|p| root.pointer(p)) {
                    Some(target) => check(root, target, value, at, out),
                    None => out.push(format!("{at}: {argument} leads nowhere")),
                }
            }
            "type" => {
                let types: Vec<&str> = match argument {
                    Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
                    other => other.as_str().into_iter().collect(),
                };
                if !types.iter().any(|t| is_of(t, value)) {
                    out.push(format!("{at}: {value} is no {types:?}"));
                }
            }
            "const" if argument != value => out.push(format!("{at}: {value} is not {argument}")),
            "const" => {}
            "minimum" => {
                if value.as_i64().zip(argument.as_i64()).is_some_and(|(v, least)| v < least) {
                    out.push(format!("{at}: {value} is below {argument}"));
                }
            }
            "pattern" => {
                if let (Some(text), Some(pattern)) = (value.as_str(), argument.as_str())
                    && !matches_pattern(pattern, text)
                {
                    out.push(format!("{at}: {text} is not of the form {pattern}"));
                }
            }
            "required" => {
                for name in argument.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if value.get(name).is_none() {
                        out.push(format!("{at}: {name} is missing"));
                    }
                }
            }
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, argument, item, &format!("{at}[{i}]"), out);
                }
            }
            "properties" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    match argument.get(name) {
                        Some(schema) => check(root, schema, inner, &format!("{at}.{name}"), out),
                        None => out.push(format!("{at}.{name}: not in the schema")),
                    }
                }
            }
            other => out.push(format!("{at}: the validator does not know {other}")),
        }
    }
    if let (Some(schema), None) = (keywords.get("additionalProperties"), keywords.get("properties")) {
        for (name, inner) in value.as_object().into_iter().flatten() {
            check(root, schema, inner, &format!("{at}.{name}"), out);
        }
    }
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn matches_pattern(pattern: &str, text: &str) -> bool {
    let hex = |digits: &str| digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match pattern {
        "^0x[0-9a-f]+$" => text.strip_prefix("0x").is_some_and(|digits| !digits.is_empty() && hex(digits)),
        "^[0-9a-f]{16}$" => text.len() == 16 && hex(text),
        _ => false,
    }
}
