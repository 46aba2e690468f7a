//! Percent-encoding, forgiving: what does not decode is kept as written (URL-5).

use std::borrow::Cow;

/// `raw` with `+` and percent escapes decoded; borrowed if it has neither.
pub(super) fn text(raw: &str) -> Cow<'_, str> {
    if !raw.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut run = Vec::new();
    let mut rest = raw;
    while let Some(at) = rest.find(['+', '%']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix('+') {
            out.push(' ');
            rest = after;
            continue;
        }
        run.clear();
        run.extend(escaped_bytes(rest));
        if run.is_empty() {
            out.push('%');
            rest = &rest[1..];
            continue;
        }
        let (escapes, after) = rest.split_at(run.len() * ESCAPE_BYTES);
        push_run(&mut out, &run, escapes);
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Whether `raw`, decoded, is `name` in any ASCII case; stops at the first difference.
pub(super) fn equals_ignoring_case(raw: &str, name: &str) -> bool {
    // Nearly all names are written plainly, and an escape only makes a name longer.
    if raw.len() <= name.len() {
        return raw.eq_ignore_ascii_case(name);
    }
    raw.len() <= name.len() * ESCAPE_BYTES && raw.contains(['+', '%']) && text(raw).eq_ignore_ascii_case(name)
}

/// The length of `%E4`.
const ESCAPE_BYTES: usize = 3;

/// The bytes that the escapes at the beginning of `text` stand for, up to the first that is none.
fn escaped_bytes(text: &str) -> impl Iterator<Item = u8> {
    text.as_bytes().chunks_exact(ESCAPE_BYTES).map_while(|escape| match escape {
        [b'%', high, low] => Some(hex(*high)? << 4 | hex(*low)?).filter(|byte| *byte != 0),
        _ => None,
    })
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Appends the bytes of a run of escapes, and the escapes themselves where these are not UTF-8.
fn push_run(out: &mut String, bytes: &[u8], escapes: &str) {
    let mut written = 0;
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        let invalid_from = written + chunk.valid().len();
        written = invalid_from + chunk.invalid().len();
        out.push_str(&escapes[invalid_from * ESCAPE_BYTES..written * ESCAPE_BYTES]);
    }
}
