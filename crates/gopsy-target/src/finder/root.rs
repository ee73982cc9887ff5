//! Paths below another root.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Links that are followed before it is called a loop: Linux's own number.
const MAX_LINKS: u32 = 40;

/// Where that absolute path leads for a process whose root is `root`: `..` goes no further up than it, and links are
/// followed as that process would follow them. The path that comes back has no links below the root.
///
/// # Errors
/// When something on the way is not there.
pub(super) fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    // What is still to be walked, last first.
    let mut left: Vec<OsString> = Vec::new();
    push(&mut left, path);
    let mut below = PathBuf::new();
    let mut links = 0u32;
    while let Some(name) = left.pop() {
        if name == ".." {
            below.pop();
            continue;
        }
        let next = root.join(&below).join(&name);
        if std::fs::symlink_metadata(&next)?.is_symlink() {
            links = links.saturating_add(1);
            if links > MAX_LINKS {
                return Err(io::Error::other("too many levels of symbolic links"));
            }
            let to = std::fs::read_link(&next)?;
            if to.is_absolute() {
                below = PathBuf::new();
            }
            push(&mut left, &to);
        } else {
            below.push(name);
        }
    }
    Ok(root.join(below))
}

fn push(left: &mut Vec<OsString>, path: &Path) {
    let names = path.components().rev().filter_map(|c| match c {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    });
    left.extend(names);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_leads_out_of_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("usr/bin")).unwrap();
        std::fs::write(root.join("usr/bin/prog"), "inside").unwrap();
        std::fs::write(dir.path().join("outside"), "outside").unwrap();
        symlink("usr/bin", root.join("bin")).unwrap();
        symlink("/usr/bin/prog", root.join("absolute")).unwrap();
        symlink("../../../../outside", root.join("usr/up")).unwrap();
        symlink(dir.path().join("outside"), root.join("usr/out")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let inside = Ok("inside".to_owned());
        let read = |path: &str| match resolve(&root, Path::new(path)) {
            Ok(path) => std::fs::read_to_string(path).map_err(|e| e.kind()),
            Err(error) => Err(error.kind()),
        };
        for path in ["/usr/bin/prog", "/bin/prog", "/absolute", "/../../usr/./bin/prog", "/bin/../bin/prog"] {
            assert_eq!(read(path), inside, "{path}");
        }
        for path in ["/usr/up", "/usr/out", "/../outside", "/none", "/bin/prog/none"] {
            assert!(read(path).is_err(), "{path}");
        }
        assert!(resolve(&root, Path::new("/loop")).unwrap_err().to_string().contains("links"));
    }
}
