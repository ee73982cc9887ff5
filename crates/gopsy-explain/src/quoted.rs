//! A stack in a panic's value: pools and supervisors recover a worker's panic, collect its stack (`debug.Stack`), and panic
//! anew with both. What failed stands in that stack, and the goroutine that died has only passed it on.

use gopsy_model::{Frame, Known};

/// Frames of a quoted stack that are read; the runtime prints no more than 100 of its own.
const MAX_FRAMES: usize = 256;

/// A stack that stands in a value.
pub(crate) struct Quoted {
    /// The number of its goroutine. Some leave that line out (`golang.org/x/sync/singleflight`): when the value is read the goroutine may
    /// have another state, or none.
    pub(crate) goroutine: Option<u64>,
    pub(crate) frames: Vec<Frame>,
}

/// The first stack that stands in a value.
pub(crate) fn stack(value: &str) -> Option<Quoted> {
    let mut lines = value.lines().peekable();
    let mut goroutine = None;
    let mut frames = Vec::new();
    while let Some(line) = lines.next() {
        let frame = lines.peek().and_then(|place| frame(line, place));
        match frame {
            Some(frame) => {
                frames.push(frame);
                lines.next();
            }
            None if frames.is_empty() => goroutine = header(line).or(goroutine),
            None => break,
        }
        if frames.len() == MAX_FRAMES {
            break;
        }
    }
    (!frames.is_empty()).then_some(Quoted { goroutine, frames })
}

/// `goroutine 18 [running]:`
fn header(line: &str) -> Option<u64> {
    let (number, state) = line.strip_prefix("goroutine ")?.split_once(' ')?;
    (state.starts_with('[') && state.ends_with("]:")).then(|| number.parse().ok())?
}

/// A call, and in the next line its place.
fn frame(called: &str, place: &str) -> Option<Frame> {
    let (name, _) = called.strip_suffix(')')?.rsplit_once('(')?;
    let (file, line) = at(place.strip_prefix('\t')?)?;
    Some(Frame { file: Known::printed(file.into()), line: Known::printed(line), ..Frame::named(name) })
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
        let whole = stack(VALUE).unwrap();
        let without = stack(&VALUE.replace("goroutine 18 [running]:\n", "")).unwrap();
        assert_eq!((whole.goroutine, without.goroutine), (Some(18), None));
        assert_eq!(whole.frames, without.frames);
        let read: Vec<_> =
            whole.frames.iter().map(|f| (f.function.value().unwrap().as_str(), f.line.value().copied())).collect();
        let frames = [("runtime/debug.Stack", 26), ("main.(*T).run.func1", 17), ("panic", 859), ("main.work", 11)];
        assert_eq!(read, frames.map(|(name, line)| (name, Some(line))));
    }

    #[test]
    fn words_are_no_stack() {
        for value in ["", "goroutine 18 is bad", "goroutine 18 [running]:", "f()\n\tsee below: nothing", "f()\n/a.go:1"]
        {
            assert!(stack(value).is_none(), "{value}");
        }
    }
}
