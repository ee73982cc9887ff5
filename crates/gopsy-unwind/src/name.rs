//! Function names as the runtime prints them.

/// The name that a traceback shows for a name of pclntab: `runtime.gopanic` is `panic`, the type arguments of generic
/// functions are `[...]` (`printFuncName` and `funcNamePiecesForPrint` in `runtime/traceback.go`, Go 1.27).
#[must_use]
pub fn printed_name(name: &str) -> String {
    if name == "runtime.gopanic" {
        return "panic".to_owned();
    }
    let (mut out, mut depth) = (String::with_capacity(name.len()), 0u32);
    for c in name.chars() {
        match c {
            '[' => {
                if depth == 0 {
                    out.push_str("[...]");
                }
                depth = depth.saturating_add(1);
            }
            ']' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                // Brackets that do not match: the runtime then prints the whole name.
                None => return name.to_owned(),
            },
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    if depth == 0 { out } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::printed_name;

    #[test]
    fn names() {
        assert_eq!(printed_name("runtime.gopanic"), "panic");
        assert_eq!(printed_name("main.(*T).M"), "main.(*T).M");
        assert_eq!(printed_name("slices.Sort[go.shape.[]int,go.shape.int]"), "slices.Sort[...]");
        assert_eq!(printed_name("main.(*L[go.shape.int]).Map[go.shape.string].func1"), "main.(*L[...]).Map[...].func1");
        assert_eq!(printed_name("main.f]["), "main.f][");
        assert_eq!(printed_name("main.f["), "main.f[");
    }
}
