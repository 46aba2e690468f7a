//! Remote stores: how one is reached, and why one refused, in a sentence.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::str::FromStr;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;

use super::profile;
use super::spec::not_a_place;
use crate::error::{Error, Result, SqlState};
use crate::limits;

/// Variables whose names begin otherwise are of other programs.
const PREFIXES: [&str; 3] = ["aws_", "azure_", "google_"];

/// Options of a store by their names in lower case.
type Options = BTreeMap<String, String>;

/// A client of the store that a URL names, with what the environment says of it, and the path inside.
///
/// Nothing is asked of the store yet. Fails with 22023 on a URL of another kind or an option that cannot be, and with
/// 28000 where there is nobody to ask for credentials.
pub(super) fn connect(url: &Url, location: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
    let unusable = |error: &dyn StdError| not_a_place(location, &root(error));
    let (scheme, path) = ObjectStoreScheme::parse(url).map_err(|error| unusable(&error))?;
    let path = Path::parse(path).map_err(|error| unusable(&error))?;
    let mut options = environment();
    let store: Result<Arc<dyn ObjectStore>, object_store::Error> = match scheme {
        ObjectStoreScheme::AmazonS3 => {
            complete(&mut options, location)?;
            let builder = AmazonS3Builder::new().with_url(url.as_str()).with_retry(retries());
            let builder = known::<AmazonS3ConfigKey>(&options)
                .fold(builder, |builder, (key, value)| builder.with_config(key, value));
            builder.build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder = GoogleCloudStorageBuilder::new().with_url(url.as_str()).with_retry(retries());
            let builder = known::<GoogleConfigKey>(&options)
                .fold(builder, |builder, (key, value)| builder.with_config(key, value));
            builder.build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let builder = MicrosoftAzureBuilder::new().with_url(url.as_str()).with_retry(retries());
            let builder = known::<AzureConfigKey>(&options)
                .fold(builder, |builder, (key, value)| builder.with_config(key, value));
            builder.build().map(|store| Arc::new(store) as _)
        }
        _ => return Err(not_a_place(location, "there is no such kind of store")),
    };
    Ok((store.map_err(|error| unusable(&error))?, path))
}

/// What the environment says of stores. A variable that is not text is none of theirs.
fn environment() -> Options {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?.to_ascii_lowercase();
        let is_of_store = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        is_of_store.then(|| Some((name, value.into_string().ok()?)))?
    });
    variables.collect()
}

/// The options that a kind of store knows.
fn known<K: FromStr>(options: &Options) -> impl Iterator<Item = (K, String)> {
    options.iter().filter_map(|(name, value)| Some((name.parse::<K>().ok()?, value.clone())))
}

/// Adds to the options of S3 what AWS's own tools add: the files of a profile, and that an endpoint may be `http://`.
fn complete(options: &mut Options, location: &str) -> Result<()> {
    const ENDPOINTS: [&str; 4] = ["aws_endpoint_url_s3", "aws_endpoint_url", "aws_endpoint", "aws_s3_endpoint"];
    const CREDENTIALS: [&str; 4] = [
        "aws_access_key_id",
        "aws_web_identity_token_file",
        "aws_container_credentials_relative_uri",
        "aws_container_credentials_full_uri",
    ];
    let is_on =
        |options: &Options, name: &str| options.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let endpoint = ENDPOINTS.iter().find_map(|name| options.get(*name));
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
        options.entry("aws_allow_http".to_owned()).or_insert_with(|| "true".to_owned());
    }
    if is_on(options, "aws_skip_signature") || CREDENTIALS.iter().any(|name| options.contains_key(*name)) {
        return Ok(());
    }
    let from_files = profile::read(options.get("aws_profile").map(String::as_str))?;
    for (name, value) in from_files {
        options.entry(name).or_insert(value);
    }
    if !options.contains_key("aws_access_key_id") && is_on(options, "aws_ec2_metadata_disabled") {
        let message = format!("could not open '{location}': {}", no_credentials());
        return Err(Error::new(SqlState::INVALID_AUTHORIZATION, message));
    }
    Ok(())
}

fn no_credentials() -> &'static str {
    "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_SKIP_SIGNATURE=true \
     for a public bucket"
}

fn retries() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: limits::STORE_BACKOFF.0, max_backoff: limits::STORE_BACKOFF.1, base: 2.0 };
    RetryConfig { backoff, max_retries: limits::STORE_RETRIES, retry_timeout: limits::STORE_TIMEOUT }
}

// ---- why a store refused

/// Codes of stores that say who asks is nobody, or may not.
const DENIED: [&str; 12] = [
    "AccessDenied",
    "AccountProblem",
    "AllAccessDisabled",
    "AuthenticationFailed",
    "AuthorizationFailure",
    "AuthorizationPermissionMismatch",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "NoAuthenticationInformation",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

/// Places where machines of a cloud are told who they are: asked last, where nothing else says it.
const METADATA: [&str; 5] =
    ["latest/api/token", "latest/meta-data", "computeMetadata", "metadata/identity", "169.254.169.254"];

/// Why a store did not do what was asked of it: a class, and half a sentence that fits behind a colon.
///
/// The whole answer of the store, with its page of XML and the request, goes to the log.
pub(super) fn reason(error: &object_store::Error) -> (SqlState, String) {
    let whole = error.to_string();
    tracing::debug!(error = %whole, "a store refused");
    let is_credential = METADATA.iter().any(|place| whole.contains(place));
    match code(&whole) {
        _ if is_credential => (SqlState::INVALID_AUTHORIZATION, no_credentials().to_owned()),
        Some(code @ ("NoSuchBucket" | "ContainerNotFound")) => {
            (SqlState::UNDEFINED_FILE, format!("the bucket does not exist ({code})"))
        }
        Some(code) if DENIED.contains(&code) => {
            (SqlState::INSUFFICIENT_PRIVILEGE, format!("access is denied ({code})"))
        }
        Some(code) if matches!(error, object_store::Error::NotFound { .. }) => {
            (SqlState::UNDEFINED_FILE, format!("it does not exist ({code})"))
        }
        Some(code) => (SqlState::IO_ERROR, format!("the store answered {code}")),
        None => match error {
            object_store::Error::NotFound { .. } => (SqlState::UNDEFINED_FILE, "it does not exist".to_owned()),
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                (SqlState::INSUFFICIENT_PRIVILEGE, "access is denied".to_owned())
            }
            other => (SqlState::IO_ERROR, root(other)),
        },
    }
}

/// The code in a store's page of XML.
fn code(answer: &str) -> Option<&str> {
    let (_, rest) = answer.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (!code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(code)
}

/// What an error began with, in one line.
fn root(error: &(dyn StdError + '_)) -> String {
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        message = cause.to_string();
        next = cause.source();
    }
    message.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: &str, body: &str) -> object_store::Error {
        let source =
            format!("Error performing GET http://127.0.0.1:9/shop?list-type=2 in 1ms - {status}: {body}").into();
        object_store::Error::Generic { store: "S3", source }
    }

    #[test]
    fn the_code_of_a_store_is_told_and_its_page_is_not() {
        let page =
            |code: &str| format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>m</Message></Error>");
        for (code, state, told) in [
            ("NoSuchBucket", SqlState::UNDEFINED_FILE, "the bucket does not exist (NoSuchBucket)"),
            ("SignatureDoesNotMatch", SqlState::INSUFFICIENT_PRIVILEGE, "access is denied (SignatureDoesNotMatch)"),
            ("SlowDown", SqlState::IO_ERROR, "the store answered SlowDown"),
        ] {
            assert_eq!(reason(&answered("403", &page(code))), (state, told.to_owned()));
        }
    }

    #[test]
    fn an_error_without_a_page_is_its_cause() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused\nmore");
        let error = object_store::Error::Generic { store: "S3", source: Box::new(refused) };
        assert_eq!(reason(&error), (SqlState::IO_ERROR, "connection refused".to_owned()));
    }

    #[test]
    fn who_is_nobody_is_told_what_to_set() {
        let error = answered("timed out", "http://169.254.169.254/latest/api/token");
        assert_eq!(reason(&error).0, SqlState::INVALID_AUTHORIZATION);
        assert!(reason(&error).1.contains("AWS_ACCESS_KEY_ID"));
    }
}
