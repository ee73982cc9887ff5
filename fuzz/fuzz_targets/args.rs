//! Argument lists: made of any values they read back, made of any bytes they break nothing.
#![no_main]

use arbitrary::Arbitrary;
use gopsy_fuzz::read;
use gopsy_model::Arg;

#[derive(Debug, Arbitrary)]
enum Made {
    Word(u64, bool),
    Group(Vec<Made>),
    Unreachable,
    More,
}

fn print(list: &[Made], out: &mut String) {
    for (i, arg) in list.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        match arg {
            Made::Word(value, stale) => out.push_str(&format!("{value:#x}{}", if *stale { "?" } else { "" })),
            Made::Group(inner) => {
                out.push('{');
                print(inner, out);
                out.push('}');
            }
            Made::Unreachable => out.push('_'),
            Made::More => out.push_str("..."),
        }
    }
}

fn same(made: &[Made], read: &[Arg]) -> bool {
    made.len() == read.len()
        && made.iter().zip(read).all(|pair| match pair {
            (Made::Word(a, s), Arg::Word { value, stale }) => a == value && s == stale,
            (Made::Group(a), Arg::Group(b)) => same(a, b),
            (Made::Unreachable, Arg::Unreachable) | (Made::More, Arg::More) => true,
            _ => false,
        })
}

fn depth(list: &[Made]) -> usize {
    list.iter().map(|a| if let Made::Group(inner) = a { 1 + depth(inner) } else { 0 }).max().unwrap_or(0)
}

fn size(list: &[Made]) -> usize {
    list.iter().map(|a| if let Made::Group(inner) = a { 5 + size(inner) } else { 1 }).sum()
}

libfuzzer_sys::fuzz_target!(|input: (&[u8], Vec<Made>)| {
    let (raw, made) = input;
    let mut text = b"goroutine 7 [running]:\nmain.f(".to_vec();
    text.extend_from_slice(raw);
    text.extend_from_slice(b")\n\t/a/b.go:3 +0x1\n");
    read(&text);

    let mut printed = String::new();
    print(&made, &mut printed);
    let text = format!("goroutine 7 [running]:\nmain.f({printed})\n\t/a/b.go:3 +0x1\n");
    let dump = read(text.as_bytes());
    let stack = dump.stack(0);
    assert_eq!(stack.frames.len(), 1, "{printed}");
    // `(...)` alone says that the function was inlined.
    if depth(&made) < 16 && size(&made) < 1000 && printed != "..." {
        let args = stack.frames[0].args.value().expect("arguments were printed");
        assert!(same(&made, &args.list) && !args.truncated, "{printed} read as {args:?}");
    }
});
