//! The pages of `gopsy about`.

/// (`kind` or `cause`, slug, Markdown).
static PAGES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/about.rs"));

/// A page: what a kind or a cause means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// `kind` or `cause`.
    pub list: &'static str,
    /// Its slug.
    pub slug: &'static str,
    /// The page, as Markdown.
    pub text: &'static str,
}

/// All pages: kinds first, each list in the order of its slugs.
pub fn pages() -> impl Iterator<Item = Page> {
    PAGES.iter().map(|&(list, slug, text)| Page { list, slug, text })
}

/// The pages of a slug. A few slugs (`unknown`) name a kind and a cause.
#[must_use]
pub fn about(slug: &str) -> Vec<Page> {
    pages().filter(|p| p.slug == slug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gopsy_model::{Cause, Kind};

    const HEADINGS: [&str; 5] =
        ["## What the text shows", "## How it comes about", "## How to be sure", "## How to fix it", "## Source"];

    #[test]
    fn every_slug_has_its_page() {
        let has = |list: &str, slug: &str| pages().any(|p| p.list == list && p.slug == slug);
        for kind in Kind::ALL {
            assert!(has("kind", kind.as_str()), "no page for the kind {kind}");
        }
        for cause in Cause::ALL {
            assert!(has("cause", cause.as_str()), "no page for the cause {cause}");
        }
        for page in pages() {
            let known = if page.list == "kind" {
                page.slug.parse::<Kind>().is_ok()
            } else {
                page.slug.parse::<Cause>().is_ok()
            };
            assert!(known, "a page for {} {}, which nobody says", page.list, page.slug);
        }
    }

    #[test]
    fn pages_are_built_alike() {
        for page in pages() {
            let at = format!("{}/{}", page.list, page.slug);
            let title = page.text.lines().next().unwrap();
            let words =
                title.strip_prefix(&format!("# {}: ", page.slug)).unwrap_or_else(|| panic!("{at}: title {title:?}"));
            assert!(words.split_whitespace().count() <= 9, "{at}: {words:?}");
            let found: Vec<&str> = page.text.lines().filter(|l| l.starts_with("## ")).collect();
            assert_eq!(found, HEADINGS, "{at}");
            for line in page.text.lines() {
                assert!(
                    line.chars().count() <= 96 && !line.contains('\t') && line.trim_end() == line,
                    "{at}: {line:?}"
                );
            }
            let lines = page.text.lines().count();
            assert!((15..=45).contains(&lines), "{at}: {lines} lines");
        }
    }
}
