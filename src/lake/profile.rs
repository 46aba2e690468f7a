//! The files in which AWS's own tools keep credentials: `~/.aws/credentials` and `~/.aws/config`.

use std::path::PathBuf;

use crate::error::{Error, Result, SqlState};

/// What is taken from a profile, and the option that it is.
const KEYS: [(&str, &str); 4] = [
    ("aws_access_key_id", "aws_access_key_id"),
    ("aws_secret_access_key", "aws_secret_access_key"),
    ("aws_session_token", "aws_session_token"),
    ("region", "aws_region"),
];

/// The options of a profile; `default` where none is named. Files that are not there say nothing.
///
/// Fails with 22023 where a profile was named and neither file has it.
pub(super) fn read(named: Option<&str>) -> Result<Vec<(String, String)>> {
    let profile = named.unwrap_or("default");
    let file = |variable: &str, name: &str| {
        let default = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".aws").join(name));
        let path = std::env::var_os(variable).map(PathBuf::from).or_else(default)?;
        std::fs::read_to_string(path).ok()
    };
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials").and_then(|text| section(&text, profile));
    let config = file("AWS_CONFIG_FILE", "config").and_then(|text| {
        let heading = if profile == "default" { "default".to_owned() } else { format!("profile {profile}") };
        section(&text, &heading)
    });
    if named.is_some() && credentials.is_none() && config.is_none() {
        let message = format!("there is no profile '{profile}' in the files of AWS's tools");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .with_hint("AWS_PROFILE names a section of ~/.aws/credentials or ~/.aws/config."));
    }
    // The first one said counts.
    Ok(credentials.into_iter().chain(config).flatten().collect())
}

/// The options of a section; `None` if the file has no such section.
fn section(text: &str, wanted: &str) -> Option<Vec<(String, String)>> {
    let mut found = None;
    let mut is_inside = false;
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if let Some(heading) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            let heading: Vec<&str> = heading.split_whitespace().collect();
            is_inside = heading.join(" ") == wanted;
            if is_inside {
                found.get_or_insert_with(Vec::new);
            }
        } else if is_inside
            && !is_nested
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
            && let Some((_, option)) = KEYS.iter().find(|(known, _)| *known == key.trim())
        {
            found.get_or_insert_with(Vec::new).push(((*option).to_owned(), value.trim().to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# people
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key=a=b/c+
[ profile  reports ]
region = eu-west-1
s3 =
    region = not this one
output = json
";

    #[test]
    fn a_section_has_its_own_keys_only() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let default = [pair("aws_access_key_id", "AKIADEFAULT"), pair("aws_secret_access_key", "a=b/c+")];
        assert_eq!(section(FILE, "default"), Some(default.to_vec()));
        assert_eq!(section(FILE, "profile reports"), Some(vec![pair("aws_region", "eu-west-1")]));
        assert_eq!(section(FILE, "reports"), None);
    }
}
