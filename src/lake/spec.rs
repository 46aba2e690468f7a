//! What the user writes after `--lake`, and the place it names.

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use super::store;
use crate::error::{Error, Result, SqlState};

/// A lake as the command line names it: the name of its schema and where its files are.
///
/// ```text
/// shop=/data/shop      schema shop
/// /data/Tea-Shop       schema tea_shop
/// s3://bucket/raw      schema raw
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeSpec {
    /// The schema's name, a lower-case identifier.
    pub name: String,
    /// A path of this machine, or a URL (`file`, `s3`, `gs`, `az`, `abfs`, `abfss`).
    pub location: String,
}

impl LakeSpec {
    /// Reads `NAME=PATH_OR_URL` or `PATH_OR_URL`.
    ///
    /// What stands before the first `=` is a name unless it holds one of `/ \ : .`, so `./dt=1` and
    /// `s3://b/dt=1` are places. A name is folded to lower case, as PostgreSQL folds one without
    /// quotes. Without a name the last component of the place gives it: lower case, everything but
    /// letters, digits and `_` replaced by `_`.
    ///
    /// Fails with 3F000 on a name that no schema may have and with 22023 on an empty place.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, location) = match text.split_once('=') {
            Some((name, place)) if !name.contains(['/', '\\', ':', '.']) => (Some(name), place),
            _ => (None, text),
        };
        if location.trim().is_empty() {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("lake: argument '{text}' names no folder or URL"),
            )
            .with_hint("write PATH_OR_URL or NAME=PATH_OR_URL"));
        }
        let name = match name {
            Some(name) => name.to_ascii_lowercase(),
            None => name_of_place(location),
        };
        check_name(&name)?;
        Ok(Self { name, location: location.to_owned() })
    }
}

/// The last component of a path or URL as an identifier; `lake` if there is none.
fn name_of_place(location: &str) -> String {
    let without_query = location.split(['?', '#']).next().unwrap_or(location);
    let last = match without_query.split_once("://") {
        Some((_, rest)) => rest.rsplit('/').find(|part| !part.is_empty()).map(str::to_owned),
        None => {
            let path = FsPath::new(location);
            let named = path.file_name().map(|name| name.to_string_lossy().into_owned());
            // `.` and `..` have no last component of their own; the folder they lead to has.
            named.or_else(|| {
                let real = path.canonicalize().ok()?;
                Some(real.file_name()?.to_string_lossy().into_owned())
            })
        }
    };
    let last = last.unwrap_or_default();
    let stem = match super::listing::file_kind(&last) {
        Some(kind) => kind.stem,
        None => last,
    };
    let mut name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    if name.is_empty() {
        name = "lake".to_owned();
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.starts_with("pg_") {
        name.insert(0, '_');
    }
    name
}

fn check_name(name: &str) -> Result<()> {
    let refuse = |why: &str| {
        Err(Error::new(SqlState::INVALID_SCHEMA_NAME, format!("lake: '{name}' cannot be the name of a schema: {why}"))
            .with_hint("give the lake a name: --lake NAME=PATH_OR_URL"))
    };
    let mut chars = name.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return refuse("a name is letters, digits and _, and does not begin with a digit");
    }
    if name.len() > 63 {
        return refuse("a name has at most 63 bytes");
    }
    if name.starts_with("pg_") || name == "information_schema" {
        return refuse("the name is reserved");
    }
    Ok(())
}

/// A place that exists: a store, a path inside it, and how to show both to a person.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The key of the store in the runtime's registry.
    pub(super) store_url: ObjectStoreUrl,
    pub(super) store: Arc<dyn ObjectStore>,
    /// The folder, or the file, inside the store.
    pub(super) path: Path,
    pub(super) is_file: bool,
    /// Reads of local files are checked by a look at the file afterwards, remote ones by the store.
    pub(super) is_local: bool,
}

impl Place {
    /// Opens a path or URL and registers its store with the runtime.
    ///
    /// Credentials of remote stores come from the environment, in the names that each provider's
    /// own tools use (`AWS_ACCESS_KEY_ID`, `GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_KEY` ...),
    /// those of S3 from the files of a profile too.
    /// Fails with 58P01 if nothing is there, 22023 on a URL of another kind, 42501 or 28000 if the store refuses,
    /// 58030 if it does not answer.
    pub(super) async fn open(location: &str, runtime: &RuntimeEnv) -> Result<Self> {
        if !location.contains("://") {
            return Self::open_local(PathBuf::from(location), location, runtime).await;
        }
        let url = Url::parse(location).map_err(|error| not_a_place(location, &error.to_string()))?;
        if url.scheme() == "file" {
            let path =
                url.to_file_path().map_err(|()| not_a_place(location, "a file URL has three slashes and no host"))?;
            return Self::open_local(path, location, runtime).await;
        }
        Self::open_remote(&url, location, runtime).await
    }

    async fn open_local(path: PathBuf, location: &str, runtime: &RuntimeEnv) -> Result<Self> {
        let found = async {
            let path = tokio::fs::canonicalize(&path).await?;
            let metadata = tokio::fs::metadata(&path).await?;
            Ok::<_, std::io::Error>((path, metadata))
        };
        let (path, metadata) = found.await.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => does_not_exist(location),
            _ => Error::new(SqlState::IO_ERROR, format!("could not open '{location}': {error}")),
        })?;
        let store_url = ObjectStoreUrl::local_filesystem();
        let store = runtime.object_store(&store_url).map_err(|error| not_a_place(location, &error.to_string()))?;
        let path = Path::from_absolute_path(&path).map_err(|error| not_a_place(location, &error.to_string()))?;
        Ok(Self { store_url, store, path, is_file: metadata.is_file(), is_local: true })
    }

    /// Connects to the store of a URL without a look at what is there, and registers it with the runtime.
    pub(super) fn connect(url: &Url, location: &str, runtime: &RuntimeEnv) -> Result<Self> {
        let (store, path) = store::connect(url, location)?;
        let base = &url[..url::Position::BeforePath];
        let store_url = ObjectStoreUrl::parse(base).map_err(|error| not_a_place(location, &error.to_string()))?;
        runtime.register_object_store(store_url.as_ref(), Arc::clone(&store));
        Ok(Self { store_url, store, path, is_file: false, is_local: false })
    }

    async fn open_remote(url: &Url, location: &str, runtime: &RuntimeEnv) -> Result<Self> {
        let place = Self::connect(url, location, runtime)?;
        let unreachable = |error: object_store::Error| {
            let (state, reason) = store::reason(&error);
            Error::new(state, format!("could not list '{location}': {reason}"))
        };
        let first = place.store.list(Some(&place.path)).next().await;
        let is_file = match first {
            Some(Ok(_)) => false,
            Some(Err(error)) => return Err(unreachable(error)),
            None => match place.store.head(&place.path).await {
                Ok(_) => true,
                Err(object_store::Error::NotFound { .. }) => return Err(does_not_exist(location)),
                Err(error) => return Err(unreachable(error)),
            },
        };
        Ok(Self { is_file, ..place })
    }

    /// The path as the user would write it.
    pub(super) fn show(&self, path: &Path) -> String {
        if self.is_local { format!("/{path}") } else { format!("{}{path}", self.store_url.as_str()) }
    }
}

fn does_not_exist(location: &str) -> Error {
    Error::new(SqlState::UNDEFINED_FILE, format!("'{location}' does not exist"))
        .with_hint("a lake is a folder, a file, or a URL that begins with s3://, gs:// or az://")
}

pub(super) fn not_a_place(location: &str, why: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("'{location}' is not a usable path or URL: {why}"))
        .with_hint("use a path, or a URL that begins with file://, s3://, gs:// or az://")
}
