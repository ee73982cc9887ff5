//! A page of the documentation on a terminal.

use super::View;

/// A Markdown page of ours: headings bold, code as it is, the rest plain. `list` says which of two pages of one name
/// this is (`kind`, `cause`).
///
/// Only for pages that ship with gopsy: nothing is escaped.
#[must_use]
pub fn page(text: &str, list: Option<&str>, view: &View) -> String {
    let bold = |s: &str| if view.colour { format!("\x1b[1m{s}\x1b[0m") } else { s.to_owned() };
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            let of = list.map_or_else(String::new, |l| format!(" ({l})"));
            out.push_str(&bold(&format!("{title}{of}")));
        } else if let Some(heading) = line.strip_prefix("## ") {
            out.push_str(&bold(heading));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    if view.unicode { out } else { crate::escape::ascii(&out).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_stand_out_and_marks_go() {
        let view = View { colour: true, ..View::default() };
        assert_eq!(
            page("# a: b\n\ntext\n\n## Source\n", Some("kind"), &view),
            "\x1b[1ma: b (kind)\x1b[0m\n\ntext\n\n\x1b[1mSource\x1b[0m\n"
        );
        assert_eq!(page("## Source\n    code\n", None, &View::default()), "Source\n    code\n");
    }
}
