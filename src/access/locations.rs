//! Which places outside of the lakes statements may read: `CREATE EXTERNAL TABLE ... LOCATION`.

use std::path::{Component, Path, PathBuf};

use url::Url;

use crate::error::{Error, Result, SqlState};

/// The rule for places outside of the lakes.
///
/// A statement reads with the server's rights, its files and its keys to object stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Locations {
    /// Superusers may name any place, others none. Without a list of users all are superusers.
    #[default]
    Superusers,
    /// Everybody may name what lies in these folders and below these URLs, nobody anything else.
    Listed(Vec<Root>),
}

/// A folder, or the start of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    Folder(PathBuf),
    Url(Url),
}

impl Locations {
    /// A rule from the operator's list; folders must exist, so that a slip is seen at the start.
    pub fn listed(places: &[String]) -> Result<Self> {
        let roots = places.iter().map(|place| match Place::parse(place) {
            Some(Place::Remote(url)) => Ok(Root::Url(url)),
            Some(Place::Local(path)) => std::fs::canonicalize(path).map(Root::Folder).map_err(|e| {
                Error::new(SqlState::UNDEFINED_FILE, format!("external_locations: cannot find the folder {place}: {e}"))
            }),
            None => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("external_locations: '{place}' is no folder and no URL"),
            )),
        });
        Ok(Self::Listed(roots.collect::<Result<_>>()?))
    }

    /// Whether a statement may read `location`; 42501 where it may not.
    ///
    /// What is not allowed is refused in the same words whether it exists or not.
    pub(super) fn check(&self, location: &str, is_superuser: bool) -> Result<()> {
        let (allowed, hint) = match self {
            Self::Superusers => {
                (is_superuser, "Only a superuser may; external_locations in the config file lists places for all.")
            }
            Self::Listed(roots) => (
                roots.iter().any(|root| root.holds(location)),
                "The config file lists the places that may be read under external_locations.",
            ),
        };
        if allowed {
            return Ok(());
        }
        let message = format!("permission denied for location \"{location}\"");
        Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message).with_hint(hint))
    }
}

impl Root {
    fn holds(&self, location: &str) -> bool {
        match (self, Place::parse(location)) {
            (Self::Url(root), Some(Place::Remote(url))) => is_below(root, &url),
            (Self::Folder(root), Some(Place::Local(path))) => {
                real_path(&path).is_some_and(|path| path.starts_with(root))
            }
            _ => false,
        }
    }
}

/// A place as the lake will read it: with `://` a URL, else a path of this machine.
enum Place {
    Local(PathBuf),
    Remote(Url),
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        if !text.contains("://") {
            return Some(Self::Local(text.into()));
        }
        let url = Url::parse(text).ok()?;
        match url.scheme() {
            "file" => url.to_file_path().ok().map(Self::Local),
            _ => Some(Self::Remote(url)),
        }
    }
}

/// Segment by segment: `s3://lake/public` does not hold `s3://lake/public-not`, nor `../`.
fn is_below(root: &Url, url: &Url) -> bool {
    let segments = |url: &Url| -> Vec<String> {
        url.path().split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
    };
    let same_store = (root.scheme(), root.host_str(), root.port()) == (url.scheme(), url.host_str(), url.port());
    let steps_out = segments(url).iter().any(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == ".." || plain.contains("%2f")
    });
    same_store && !steps_out && url.username().is_empty() && segments(url).starts_with(&segments(root))
}

/// The path without links and steps up, as far as it exists: a pattern or a file to come may end it.
fn real_path(path: &Path) -> Option<PathBuf> {
    let mut existing = std::path::absolute(path).ok()?;
    let mut rest = vec![];
    loop {
        if let Ok(real) = std::fs::canonicalize(&existing) {
            return Some(rest.into_iter().rev().fold(real, |path, part| path.join(part)));
        }
        match existing.components().next_back()? {
            Component::Normal(name) => rest.push(name.to_owned()),
            // Steps that cannot be followed lead to nowhere that may be read.
            _ => return None,
        }
        existing.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(locations: &Locations, location: &str) -> bool {
        match locations.check(location, false) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.state, SqlState::INSUFFICIENT_PRIVILEGE);
                false
            }
        }
    }

    #[test]
    fn without_a_list_superusers_may_and_others_may_not() {
        assert!(Locations::Superusers.check("/etc/passwd", true).is_ok());
        assert!(!allows(&Locations::Superusers, "/etc/passwd"));
    }

    #[test]
    fn a_listed_folder_holds_what_is_really_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("in");
        std::fs::create_dir(&inside).unwrap();
        std::os::unix::fs::symlink("/etc", inside.join("link")).unwrap();
        let root = inside.display().to_string();
        let locations = Locations::listed(std::slice::from_ref(&root)).unwrap();
        for place in ["", "/", "/a.csv", "/new/*.parquet", "/../in/a.csv"] {
            assert!(allows(&locations, &format!("{root}{place}")), "{place}");
            assert!(allows(&locations, &format!("file://{root}{place}")), "{place}");
        }
        assert!(!allows(&locations, &format!("file://{root}/%2e%2e/a.csv")));
        for place in ["/../a.csv", "/link/passwd", "-not/a.csv", "/none/../../a.csv", "/.."] {
            assert!(!allows(&locations, &format!("{root}{place}")), "{place}");
        }
        assert!(!allows(&locations, "/etc/passwd"));
        assert!(!allows(&locations, "s3://lake/a.csv"));
        // A list holds for superusers too.
        assert!(locations.check("/etc/passwd", true).is_err());
    }

    #[test]
    fn a_listed_url_holds_what_is_below_it() {
        let locations = Locations::listed(&["s3://lake/public".to_owned()]).unwrap();
        assert!(allows(&locations, "s3://lake/public/a.parquet"));
        assert!(allows(&locations, "s3://lake/public/"));
        for place in [
            "s3://lake/public-not/a.parquet",
            "s3://lake/public/../private/a.parquet",
            "s3://lake/public/%2e%2E/private/a.parquet",
            "s3://other/public/a.parquet",
            "gs://lake/public/a.parquet",
            "/public/a.parquet",
        ] {
            assert!(!allows(&locations, place), "{place}");
        }
    }

    #[test]
    fn a_listed_folder_that_does_not_exist_is_an_error_at_the_start() {
        let error = Locations::listed(&["/no/such/folder".to_owned()]).unwrap_err();
        assert!(error.message.contains("/no/such/folder"));
    }
}
