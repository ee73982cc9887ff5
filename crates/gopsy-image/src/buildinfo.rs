//! Build info: what `go version -m` prints (`debug/buildinfo/buildinfo.go`, Go 1.27).

use crate::stated::Stated;
use crate::{Image, ImageError};
use crate::{bytes, quoted};
use gopsy_mem::LinkAddr;

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The strings stand in it, not where it points.
const INLINE: u8 = 2;
/// Strings longer than this are not believed: the longest real module lists are some 100 KiB.
const MAX_STRING: u64 = 16 * 1024 * 1024;

/// A module that was linked in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Module {
    /// Its path (`golang.org/x/net`).
    pub path: String,
    /// Its version (`v0.30.0`, `(devel)`).
    pub version: String,
    /// What was linked in its place (`replace` in go.mod).
    pub replace: Option<Box<Module>>,
}

/// How a Go program was built.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildInfo {
    /// The Go release (`go1.27.3`, with experiments: `go1.27.3 X:nogreenteagc`).
    pub version: String,
    /// Import path of the main package.
    pub path: Option<String>,
    /// The main module.
    pub main: Option<Module>,
    /// The other modules.
    pub dependencies: Vec<Module>,
    /// Build settings (`-race`, `GOARCH`, `vcs.revision`) in the order of the file.
    pub settings: Vec<(String, String)>,
}

impl BuildInfo {
    /// What stands among a program's variables, wherever in these bytes, whose first has an address that 16 divides. Go 1.18+: what
    /// older releases write there points elsewhere.
    #[must_use]
    pub fn among(variables: &[u8]) -> Option<BuildInfo> {
        let places = memchr::memmem::find_iter(variables, MAGIC).filter(|at| at.is_multiple_of(16));
        // The mark alone stands in every program that reads build information.
        let read =
            places.filter_map(|at| inline(variables.get(at..)?)).map(|(version, modinfo)| parse(version, modinfo));
        read.into_iter().find(is_likely)
    }

    /// A build setting.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

pub(crate) fn read(image: &Image) -> Result<BuildInfo, ImageError> {
    let named = image.section(".go.buildinfo").and_then(|s| Some((s.address, image.section_bytes(s)?)));
    let ends_early = || ImageError::damaged("its build information ends early");
    if let Some((at, blob)) = named.filter(|(_, blob)| blob.starts_with(MAGIC)) {
        return strings(image, at, blob).map(|(version, modinfo)| parse(&version, &modinfo)).ok_or_else(ends_early);
    }
    let mut places = places(image).peekable();
    if places.peek().is_none() {
        return Err(image.cut().map_or(ImageError::Absent("Go build information"), ImageError::Cut));
    }
    // The mark alone stands in every program that reads build information.
    let read = places.filter_map(|(at, blob)| strings(image, at, blob));
    read.map(|(version, modinfo)| parse(&version, &modinfo)).find(is_likely).ok_or_else(ends_early)
}

fn parse(version: &[u8], modinfo: &[u8]) -> BuildInfo {
    let info = parse_modinfo(&String::from_utf8_lossy(unframe(modinfo)));
    BuildInfo { version: String::from_utf8_lossy(version).into_owned(), ..info }
}

/// Whether that may be what a linker wrote.
fn is_likely(info: &BuildInfo) -> bool {
    info.version.starts_with("go1") || info.version.starts_with("devel")
}

/// Where it may stand in a file without section headers: 16-aligned among the variables. In a PIE those that the loader makes
/// read-only have a segment of their own, the first. What an executable has embedded lies among its constants.
fn places(image: &Image) -> impl Iterator<Item = (LinkAddr, &[u8])> {
    image.segments().iter().filter(|segment| segment.writable).flat_map(|segment| {
        let data = image.segment_bytes(segment);
        let found = memchr::memmem::find_iter(data, MAGIC).filter(|at| at.is_multiple_of(16));
        found.filter_map(|at| Some((segment.address.checked_add(u64::try_from(at).ok()?)?, data.get(at..)?)))
    })
}

fn strings(image: &Image, at: LinkAddr, blob: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    if bytes::u8(blob, 15)? & INLINE != 0 {
        return inline(blob).map(|(version, modinfo)| (version.to_vec(), modinfo.to_vec()));
    }
    // Up to Go 1.17: two pointers to Go string headers, which the loader may fill in.
    let word = image.address_size();
    let size = u64::try_from(word).ok()?;
    let read = |at: u64| {
        let mut bytes = [0; 8];
        image.fill(LinkAddr(at), bytes.get_mut(..word)?).then(|| u64::from_le_bytes(bytes))
    };
    let string = |header: u64| {
        let len = read(header.checked_add(size)?).filter(|len| *len <= MAX_STRING)?;
        image.read(LinkAddr(read(header)?), len)
    };
    let pointers = at.checked_add(16)?.0;
    let version = string(read(pointers)?)?.to_vec();
    let modinfo = read(pointers.checked_add(size)?).and_then(string).unwrap_or_default();
    Some((version, modinfo.to_vec()))
}

/// Go 1.18+: two strings, each behind its length.
fn inline(blob: &[u8]) -> Option<(&[u8], &[u8])> {
    bytes::u8(blob, 15).filter(|flags| flags & INLINE != 0)?;
    let (version, rest) = inline_string(bytes::tail(blob, 32)?)?;
    let (modinfo, _) = inline_string(rest)?;
    Some((version, modinfo))
}

fn inline_string(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, taken) = bytes::uvarint(data)?;
    let rest = data.get(taken..)?;
    if len > MAX_STRING {
        return None;
    }
    rest.split_at_checked(usize::try_from(len).ok()?)
}

/// The module list stands between two 16-byte marks, so that it can be found in memory.
fn unframe(modinfo: &[u8]) -> &[u8] {
    let inner = modinfo.get(16..).and_then(|m| m.get(..m.len().checked_sub(16)?));
    inner.unwrap_or(&[])
}

fn parse_modinfo(text: &str) -> BuildInfo {
    let mut info = BuildInfo::default();
    for line in text.lines() {
        let Some((kind, rest)) = line.split_once('\t') else { continue };
        let mut columns = rest.split('\t');
        let first = columns.next().unwrap_or_default();
        let module = |version: Option<&str>| Module {
            path: first.to_owned(),
            version: version.unwrap_or_default().to_owned(),
            replace: None,
        };
        match kind {
            "path" => info.path = Some(first.to_owned()),
            "mod" => info.main = Some(module(columns.next())),
            "dep" => info.dependencies.push(module(columns.next())),
            // A replacement stands behind what it replaces.
            "=>" => {
                let replaced = info.dependencies.last_mut().or(info.main.as_mut());
                if let Some(replaced) = replaced {
                    replaced.replace = Some(Box::new(module(columns.next())));
                }
            }
            "build" => info.settings.extend(setting(rest)),
            _ => {}
        }
    }
    info
}

/// A build setting, of which both halves may be quoted (`runtime/debug/mod.go`, Go 1.18 to 1.27). What is quoted and cannot be is
/// given as it stands.
fn setting(line: &str) -> Option<(String, String)> {
    let (key, value) = match quoted::unquote(line) {
        Some((key, rest)) => (key, rest.strip_prefix('=')?),
        None => line.split_once('=').map(|(key, value)| (key.to_owned(), value))?,
    };
    let whole = quoted::unquote(value).filter(|(_, rest)| rest.is_empty());
    Some((key, whole.map_or_else(|| value.to_owned(), |(value, _)| value)))
}

#[cfg(test)]
mod tests {
    use super::BuildInfo;
    use crate::testkit::{Elf, image};

    fn blob(version: &str, modinfo: &str) -> Vec<u8> {
        let mut out = b"\xff Go buildinf:\x08\x02".to_vec();
        out.resize(32, 0);
        out.push(version.len() as u8);
        out.extend(version.bytes());
        let framed = format!("0123456789abcdef{modinfo}0123456789abcdef");
        out.extend([framed.len() as u8 | 0x80, (framed.len() >> 7) as u8]);
        out.extend(framed.bytes());
        out
    }

    const MODINFO: &str = "path\texample.com/a/cmd\nmod\texample.com/a\tv1.2.3\t\ndep\tx.org/y\tv0.1.0\th1:abc=\nbuild\t-race=true\nbuild\tGOARCH=amd64\n";

    #[test]
    fn inline_form() {
        let file = Elf::new().segment(0x40_0000, "rw", &blob("go1.27.3", MODINFO));
        let info = image(&file).build_info().unwrap();
        assert_eq!(info.version, "go1.27.3");
        assert_eq!(info.path.as_deref(), Some("example.com/a/cmd"));
        assert_eq!(info.main.as_ref().unwrap().version, "v1.2.3");
        assert_eq!(info.dependencies[0].path, "x.org/y");
        assert_eq!(info.setting("-race"), Some("true"));
        assert_eq!(info.setting("nope"), None);
    }

    #[test]
    fn settings_are_quoted_where_they_need_it() {
        let modinfo = concat!(
            "path\tx.org/a\nmod\tx.org/a\t(devel)\t\ndep\tx.org/lib\tv1.2.3\n=>\t./lib\t(devel)\t\n",
            "dep\tx.org/z\tv0.1.0\th1:abc=\n",
            "build\t-compiler=gc\nbuild\t-ldflags=\"-X main.v=1.2.3 -X \\\"main.t=a b\\\"\"\nbuild\tCGO_CFLAGS=\n",
            "build\t\"an odd=key\"=\"\\ttab\"\nbuild\tbroken=\"a\"b\"\n",
        );
        let info = image(&Elf::new().segment(0x40_0000, "rw", &blob("go1.27.3", modinfo))).build_info().unwrap();
        let settings: Vec<_> = info.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(
            settings,
            [
                ("-compiler", "gc"),
                ("-ldflags", r#"-X main.v=1.2.3 -X "main.t=a b""#),
                ("CGO_CFLAGS", ""),
                ("an odd=key", "\ttab"),
                ("broken", r#""a"b""#)
            ]
        );
        let modules: Vec<_> = info.dependencies.iter().map(|m| (m.path.as_str(), m.version.as_str())).collect();
        assert_eq!(modules, [("x.org/lib", "v1.2.3"), ("x.org/z", "v0.1.0")]);
        let replaced = info.dependencies[0].replace.as_deref().map(|m| (m.path.as_str(), m.version.as_str()));
        assert_eq!(replaced, Some(("./lib", "(devel)")));
        assert!(info.dependencies[1].replace.is_none() && info.main.unwrap().replace.is_none());
    }

    #[test]
    fn pointer_form() {
        let base = 0x40_0000u64;
        let mut data = b"\xff Go buildinf:\x08\x00".to_vec();
        data.extend((base + 32).to_le_bytes());
        data.extend((base + 48).to_le_bytes());
        data.extend((base + 64).to_le_bytes());
        data.extend(9u64.to_le_bytes());
        data.extend([0; 16]);
        data.extend(b"go1.16.15");
        let info = image(&Elf::new().segment(base, "rw", &data)).build_info().unwrap();
        assert_eq!(info.version, "go1.16.15");
        assert_eq!(info.path, None);
    }

    #[test]
    fn without_sections_it_is_looked_for_among_all_variables() {
        let own = blob("go1.21.13", MODINFO);
        let embedded = blob("go1.20", "");
        // A PIE: what the loader makes read-only has a segment of its own. Another program is embedded as a constant.
        let pie = Elf::new().segment(0x40_0000, "r", &embedded).segment(0x41_0000, "rw", &[0; 64]);
        let version = |elf: &Elf| image(elf).build_info().map(|info| info.version);
        assert_eq!(version(&pie.clone().segment(0x42_0000, "rw", &own)), Ok("go1.21.13".to_owned()));
        assert!(version(&pie).is_err());
        // The mark of a program that reads build information stands before it.
        let mark = [b"\xff Go buildinf:".as_slice(), &[8, 2], &[0; 32], b"\x05other", &[0; 10]].concat();
        assert_eq!(version(&pie.segment(0x42_0000, "rw", &[mark, own].concat())), Ok("go1.21.13".to_owned()));
    }

    #[test]
    fn among_the_variables_of_a_process() {
        // What `debug/buildinfo` looks for stands in it, too.
        let mark = [b"\xff Go buildinf:".as_slice(), &[8, 2], &[0; 32], b"\x05other", &[0; 10]].concat();
        let own = blob("go1.27.3", MODINFO);
        let found =
            |parts: &[&[u8]]| BuildInfo::among(&parts.concat()).map(|info| (info.version, info.dependencies.len()));
        let right = Some(("go1.27.3".to_owned(), 1));
        assert_eq!((mark.len() % 16, found(&[&own])), (0, right.clone()));
        assert_eq!(found(&[&[0; 48], &mark, &own]), right);
        assert_eq!(found(&[&mark]), None);
        assert_eq!(found(&[&[0; 8], &own]), None, "not where the linker puts it");
        let pointers = [b"\xff Go buildinf:\x08\x00".as_slice(), &[0x40; 48]].concat();
        assert_eq!(found(&[&pointers]), None);
        assert!((0..own.len()).all(|len| found(&[&own[..len]]).is_none()));
    }

    #[test]
    fn cut_and_lying_blobs_are_errors() {
        let whole = blob("go1.27.3", MODINFO);
        for len in 0..whole.len() {
            let file = Elf::new().segment(0x40_0000, "rw", &whole[..len]);
            assert!(image(&file).build_info().is_err(), "{len}");
        }
        let mut lying = whole;
        lying[32..42].fill(0xff);
        assert!(image(&Elf::new().segment(0x40_0000, "rw", &lying)).build_info().is_err());
    }
}
