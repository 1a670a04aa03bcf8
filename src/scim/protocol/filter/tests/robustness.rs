//! Whatever comes, an answer comes, and soon.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::super::schema::{GROUP, USER};
use super::super::Filter;

/// Pieces that a parser could stumble over, at every seam.
fn piece() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "(",
        ")",
        "[",
        "]",
        "\"",
        "\\",
        ".",
        ":",
        " ",
        "\t",
        "not",
        "and",
        "or",
        "pr",
        "eq",
        "co",
        "title",
        "emails",
        "urn:",
        "$ref",
        "é",
        "😀",
        "\u{300}",
        "\u{a0}",
        "\0",
        "null",
        "true",
        "-1e5",
        "\"a\"",
        "meta.created",
        "\\u",
        "İ",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn no_text_makes_the_parser_panic(
        pieces in proptest::collection::vec(piece(), 0..40),
        noise in "\\PC{0,20}",
    ) {
        let text = pieces.concat() + &noise;
        for of in [&USER, &GROUP] {
            if let Ok(filter) = Filter::parse(&text, of) {
                prop_assert_eq!(Filter::parse(&filter.to_string(), of), Ok(filter));
            }
        }
    }

    #[test]
    fn a_filter_cut_off_anywhere_is_read_or_refused_with_a_position(end in 0_usize..90) {
        let text = "not (emails[type eq \"wörk\\\"\" and value co é].value eq \"😀\" or active eq true)";
        let text: String = text.chars().take(end).collect();
        if let Err(fault) = Filter::parse(&text, &USER) {
            prop_assert!(fault.detail.contains("(position "), "{}", fault);
        }
    }
}

#[test]
fn the_longest_inputs_are_read_in_no_time() {
    const LENGTH: usize = 8 * 1024;
    let begun = Instant::now();
    for piece in ["(", "not (", "[", "\"", "\\", "emails[", "a", "é", "title pr and ", " ", "\"\\"]
    {
        for start in ["", "title eq ", "title eq \"", "emails[type eq "] {
            let mut text = format!("{start}{}", piece.repeat(LENGTH / piece.len()));
            while text.len() > LENGTH {
                text.pop();
            }
            drop(Filter::parse(&text, &USER));
        }
    }
    // A tenth of a second, unoptimised; busy machines take more.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
