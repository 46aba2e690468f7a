//! The parts of a web address that marketers ask for: a parameter's value, and the host.
//!
//! Addresses come from logs, so nothing here insists on a valid one: any text has an answer, and
//! what is not there is `None`.
//!
//! # Rules
//!
//! - **URL-1, where parameters are.** After the first `?`, up to the first `#`. Text without a `?`
//!   before its `#` is a query string itself, as some collectors store it without the address.
//!   After that, in the fragment: behind its first `?` if it has one (`#/home?utm_source=a`), else
//!   all of it (`#utm_source=a`).
//! - **URL-2, pieces.** Only `&` separates parameters, and the first `=` ends a name. `;` is part of
//!   a value.
//! - **URL-3, names.** Names are compared after decoding and in any ASCII case.
//! - **URL-4, first wins.** Of several occurrences the first counts, the query before the fragment.
//!   If its value is empty there is none.
//! - **URL-5, decoding.** `+` is a space and `%E4%BD%A0` the letter of these UTF-8 bytes. What does
//!   not decode is kept as it is written: `%zz`, a lone `%`, bytes that are not UTF-8, and `%00`,
//!   because text in SQL cannot hold it.
//! - **URL-6, utm.** `source` and the other names of [`UTM_NAMES`] stand for `utm_source` and so on;
//!   any other name is the parameter of exactly that name, `utm_source` and `gclid` alike.
//! - **URL-7, host.** Between the scheme and the path, without user, port and dots at its end. The scheme
//!   may be missing. Text whose beginning cannot be a host has none: `/path`, `mailto:a@b.example`,
//!   `about:blank`, `-`.
//!
//! # Cost
//!
//! One pass over the text, no allocation unless a value has something to decode.

mod decode;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// The parameters of campaign tagging that can be asked for without their `utm_`.
pub const UTM_NAMES: [&str; 9] =
    ["source", "medium", "campaign", "term", "content", "id", "source_platform", "creative_format", "marketing_tactic"];

/// The name of a parameter to look for; one that exists is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    name: String,
}

/// Why a text is no [`Parameter`]: it is empty, or nothing but spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyName;

impl Parameter {
    /// The parameter that `name` asks for (URL-6), in any case, with or without spaces around it.
    ///
    /// # Errors
    ///
    /// [`EmptyName`] if nothing remains of it.
    pub fn try_new(name: &str) -> Result<Self, EmptyName> {
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() {
            return Err(EmptyName);
        }
        let is_short = UTM_NAMES.contains(&name.as_str());
        Ok(Self { name: if is_short { format!("utm_{name}") } else { name } })
    }

    /// The name as addresses have it, such as `utm_source`, in small letters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The decoded value of this parameter in `url`; `None` if it is missing or empty.
    pub fn value_in<'u>(&self, url: &'u str) -> Option<Cow<'u, str>> {
        let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
        let raw = self.raw_value_in(parameters(address)).or_else(|| self.raw_value_in(parameters(fragment)))?;
        if raw.is_empty() { None } else { Some(decode::text(raw)) }
    }

    /// The first value as it is written, possibly empty.
    fn raw_value_in<'u>(&self, parameters: &'u str) -> Option<&'u str> {
        parameters.split('&').find_map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            decode::equals_ignoring_case(name, &self.name).then_some(value)
        })
    }
}

/// The parameters of an address or fragment: behind its first `?`, or all of it.
fn parameters(text: &str) -> &str {
    text.split_once('?').map_or(text, |(_, parameters)| parameters).trim()
}

/// The host of a URL, or of a host as it stands, as it is written; `None` where there is none.
pub fn host(url: &str) -> Option<&str> {
    let url = url.trim();
    let (rest, may_have_user) = behind_scheme(url).map_or((url, false), |rest| (rest, true));
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    let authority = &rest[..end.unwrap_or(rest.len())];
    let place = match authority.rsplit_once('@') {
        Some((_, place)) if may_have_user => place,
        _ => authority,
    };
    let host = without_port(place)?;
    let host = host.trim_end_matches('.');
    is_host(host).then_some(host)
}

/// What follows `https://`, or `//` alone; `None` if `url` does not begin so.
fn behind_scheme(url: &str) -> Option<&str> {
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    match url.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) && rest.starts_with("//") => Some(&rest[2..]),
        _ => url.strip_prefix("//"),
    }
}

/// `place` up to its port; `None` if what follows the `:` is no port.
fn without_port(place: &str) -> Option<&str> {
    let name_bytes = if place.starts_with('[') { place.find(']')? + 1 } else { 0 };
    let (host_bytes, port) = match place[name_bytes..].split_once(':') {
        Some((name, port)) => (name_bytes + name.len(), port),
        None => (place.len(), ""),
    };
    port.bytes().all(|byte| byte.is_ascii_digit()).then_some(&place[..host_bytes])
}

/// Letters, digits, dots, hyphens and underscores, at least one a letter or digit; or an address in `[]`.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        let is_address = |address: &str| {
            !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.')
        };
        return address.strip_suffix(']').is_some_and(is_address);
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    host.bytes().all(|byte| is_name(byte) || matches!(byte, b'-' | b'.' | b'_'))
        && host.bytes().any(is_name)
        && (host.is_ascii() || !host.contains(char::is_whitespace))
}
