//! A stack in a panic's value: pools and supervisors recover a worker's panic, collect its stack (`debug.Stack`), and panic
//! anew with both. What failed stands in that stack, and the goroutine that died has only passed it on.

use gopsy_model::{Frame, Known};

/// Frames of a quoted stack that are read; the runtime prints no more than 100 of its own.
const MAX_FRAMES: usize = 256;

/// The first stack that stands in a value, with its goroutine's number.
pub(crate) fn stack(value: &str) -> Option<(u64, Vec<Frame>)> {
    let mut lines = value.lines();
    let id = lines.find_map(|line| {
        let (number, state) = line.strip_prefix("goroutine ")?.split_once(' ')?;
        (state.starts_with('[') && state.ends_with("]:")).then(|| number.parse().ok())?
    })?;
    let mut frames = Vec::new();
    while let (Some(called), Some(place)) = (lines.next(), lines.next()) {
        let name = called.strip_suffix(')').and_then(|called| Some(called.rsplit_once('(')?.0));
        let Some((name, (file, line))) = name.zip(place.strip_prefix('\t').and_then(at)) else { break };
        let (file, line) = (Known::printed(file.into()), Known::printed(line));
        frames.push(Frame { file, line, ..Frame::named(name) });
        if frames.len() == MAX_FRAMES {
            break;
        }
    }
    (!frames.is_empty()).then_some((id, frames))
}

/// `/src/main.go:11 +0x1a`
fn at(place: &str) -> Option<(&str, i64)> {
    let place = place.split_once(" +0x").map_or(place, |(place, _)| place);
    let (file, line) = place.rsplit_once(':')?;
    Some((file, line.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::stack;

    const VALUE: &str = "worker: bad\n\ngoroutine 18 [running]:\nruntime/debug.Stack()\n\t/go/stack.go:26 +0x5e\n\
                         main.(*T).run.func1({0x1, 0x2?})\n\t/a/main.go:17 +0x34\npanic({0x5631f8?, 0xbc60516000?})\n\
                         \t/go/panic.go:859 +0x125\nmain.work(...)\n\t/a/main.go:11\ncreated by main.main in goroutine 1\n\
                         \t/a/main.go:24 +0x66\n";

    #[test]
    fn a_quoted_stack_is_read() {
        let (id, frames) = stack(VALUE).unwrap();
        let read: Vec<_> =
            frames.iter().map(|f| (f.function.value().unwrap().as_str(), f.line.value().copied())).collect();
        let frames = [("runtime/debug.Stack", 26), ("main.(*T).run.func1", 17), ("panic", 859), ("main.work", 11)];
        assert_eq!((id, read), (18, frames.map(|(name, line)| (name, Some(line))).to_vec()));
    }

    #[test]
    fn words_are_no_stack() {
        for value in
            ["", "goroutine 18 is bad", "goroutine 18 [running]:", "goroutine x [running]:\nmain.f()\n\t/a.go:1\n"]
        {
            assert!(stack(value).is_none(), "{value}");
        }
    }
}
