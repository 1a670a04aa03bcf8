//! Comparing texts without regard to case.

/// The form of a text in which it is compared without regard to case. The one
/// function for it: indexes are built with it too.
///
/// Each character by itself: `str::to_lowercase` looks at what is around a
/// sigma, so that a text would not begin with its own beginning.
#[must_use]
pub fn fold(text: &str) -> String {
    // The same, at once: most are.
    if text.is_ascii() { text.to_ascii_lowercase() } else { folded(text).collect() }
}

/// The characters of [`fold`], for comparisons that need no text of their own.
pub fn folded(text: &str) -> impl Iterator<Item = char> {
    let same = |letter| if letter == 'ς' { 'σ' } else { letter };
    text.chars().flat_map(char::to_lowercase).map(same)
}
