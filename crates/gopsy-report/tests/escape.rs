//! Nothing of the target gets through a sink.

use gopsy_report::escape::{
    Breaks, ascii, github_guard, github_message, github_property, html, markdown, markdown_cell, markdown_code,
    markdown_fence, terminal, terminal_bytes,
};
use proptest::prelude::*;

#[test]
fn terminals() {
    let t = |text| terminal(text, Breaks::Escape).into_owned();
    assert_eq!(t("plain «text» 世界"), "plain «text» 世界");
    assert_eq!(t("\x1b[2J\x07\x7f"), "\\x1b[2J\\x07\\x7f");
    assert_eq!(t("\u{9b}31m"), "\\u{9b}31m");
    assert_eq!(t("a\u{202e}b\u{2066}c\u{200b}d\u{feff}"), "a\\u{202e}b\\u{2066}c\\u{200b}d\\u{feff}");
    assert_eq!(t("a\nb\tc\rd"), "a\\nb c\\rd");
    assert_eq!(terminal("a\r\nb\tc\rd", Breaks::Keep), "a\nb    c\\rd");
    assert_eq!(terminal_bytes(b"a\xff\xfe\x1bz", Breaks::Escape), "a\\xff\\xfe\\x1bz");
    assert_eq!(ascii("é×"), "\\u{e9}\\u{d7}");
}

#[test]
fn markdown_prose() {
    assert_eq!(markdown("a*b_c"), "a\\*b\\_c");
    assert_eq!(markdown("<img src=x>"), "&lt;img src=x&gt;");
    assert_eq!(markdown("ask @team about #12 or GH-3"), "ask @&#8203;team about #&#8203;12 or GH&#8203;-3");
    assert_eq!(markdown("[x](http://e.example)"), "\\[x\\](http:&#8203;//e.example)");
    assert_eq!(markdown("www.e.example"), "www&#8203;.e.example");
    assert_eq!(markdown("mailto:x"), "mailto:&#8203;x");
    assert_eq!(markdown("# no heading"), "\\#&#8203; no heading");
    assert_eq!(markdown("1. no list"), "1\\. no list");
    assert_eq!(markdown("- no list"), "\\- no list");
    assert_eq!(markdown("one\ntwo"), "one\\\\ntwo");
}

#[test]
fn markdown_code_spans_and_fences() {
    assert_eq!(markdown_code("x"), "`x`");
    assert_eq!(markdown_code("a`b``c"), "```a`b``c```");
    assert_eq!(markdown_code("`"), "`` ` ``");
    assert_eq!(markdown_cell("a|b"), "`a\\|b`");
    assert_eq!(markdown_cell("a\\|b"), "`a\\\\\\|b`");
    assert_eq!(markdown_fence("a\n```\nb", "text"), "````text\na\n```\nb\n````\n");
}

#[test]
fn workflow_commands() {
    assert_eq!(github_message("100% a\nb"), "100%25 a%0Ab");
    assert_eq!(github_property("C:\\a,b%"), "C%3A\\a%2Cb%25");
    assert_eq!(github_guard("ok\n  ::error::x\n"), "ok\n  : :error::x\n");
    assert_eq!(github_guard("\x1b[1;31m::set-output name=a::b"), "\x1b[1;31m: :set-output name=a::b");
    assert_eq!(github_guard("a ##[add-mask]b"), "a ## [add-mask]b");
    assert_eq!(github_guard("std::vector"), "std::vector");
}

fn hostile() -> impl Strategy<Value = String> {
    // Characters that mean something somewhere, among any others.
    let piece = prop_oneof![
        Just("::".to_owned()),
        Just("##[".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\x1b[31m".to_owned()),
        Just("`".to_owned()),
        Just("|".to_owned()),
        Just("<".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("%".to_owned()),
        Just(" ".to_owned()),
        Just("error".to_owned()),
        Just("@a".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|v| v.concat())
}

fn harmless(text: &str) -> bool {
    !text.chars().any(|c| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    })
}

proptest! {
    #[test]
    fn no_control_reaches_a_terminal(text in hostile(), bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(harmless(&terminal(&text, Breaks::Escape)));
        prop_assert!(harmless(&terminal(&text, Breaks::Keep).replace('\n', "")));
        prop_assert!(harmless(&terminal_bytes(&bytes, Breaks::Escape)));
        prop_assert!(ascii(&text).is_ascii());
    }

    #[test]
    fn escaping_for_a_terminal_is_idempotent(text in hostile()) {
        let once = terminal(&text, Breaks::Keep).into_owned();
        prop_assert_eq!(terminal(&once, Breaks::Keep), once.as_str());
    }

    #[test]
    fn html_holds_no_markup(text in hostile()) {
        let out = html(&text, Breaks::Keep);
        prop_assert!(!out.contains(['<', '>', '"', '\'']));
    }

    #[test]
    fn markdown_holds_no_markup(text in hostile()) {
        let out = markdown(&text);
        prop_assert!(!out.contains(['<', '>', '\n']));
        // Every backtick and bar stands behind a backslash of its own.
        let mut escaped = false;
        for c in out.chars() {
            prop_assert!(escaped || !matches!(c, '`' | '|' | '*' | '[' | ']'));
            escaped = c == '\\' && !escaped;
        }
        prop_assert!(!out.contains("@a"));
    }

    #[test]
    fn a_code_span_is_not_left_early(text in hostile()) {
        let out = markdown_code(&text);
        let ticks = out.len() - out.trim_start_matches('`').len();
        let inner = &out[ticks..out.len() - ticks];
        prop_assert!(inner.split(|c| c != '`').all(|run| run.len() != ticks));
        prop_assert!(!out.contains('\n'));
    }

    #[test]
    fn a_fence_is_not_left_early(text in hostile()) {
        let out = markdown_fence(&text, "");
        let fence = out.lines().next().unwrap_or("").to_owned();
        let closing = out.lines().filter(|l| l.trim().len() >= fence.len() && l.trim().chars().all(|c| c == '`')).count();
        prop_assert_eq!(closing, 2);
    }

    #[test]
    fn no_command_reaches_a_runner(text in hostile()) {
        let out = github_guard(&text).into_owned();
        for line in out.split(['\n', '\r']) {
            prop_assert!(!line.trim_start().starts_with("::"));
        }
        prop_assert!(!out.contains("##["));
        let message = github_message(&text);
        let property = github_property(&text);
        prop_assert!(!message.contains(['\n', '\r']));
        prop_assert!(!property.contains(['\n', '\r', ':', ',']));
    }
}
