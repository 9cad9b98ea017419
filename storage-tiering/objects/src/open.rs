//! Opening a store by its URL: a bucket of a cloud, a server that speaks S3, a folder, or memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aquifer_runtime::Runtime;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use crate::answers::{Answers, Counted};
use crate::credentials::{self, Credentials};

/// The URL names no store that can be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("'{url}' is no URL: {source}; write s3://bucket/prefix, gs://, az:// or file:///folder")]
    Url { url: String, source: url::ParseError },
    #[error("'{0}' stores are not known; use s3, gs, az, file or memory")]
    Scheme(String),
    #[error(
        "'{url}' has the option '{option}', which is not known; s3 takes endpoint, region and path_style"
    )]
    Option { url: String, option: String },
    #[error("folder '{folder}' cannot be made: {source}")]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error("there is no folder '{}'", .0.display())]
    NoFolder(PathBuf),
    #[error("'{url}': {source}")]
    Store { url: String, source: object_store::Error },
}

/// One client for each class of work: what is slow or failing in one does not hold up the others.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) small: Arc<dyn ObjectStore>,
    pub(crate) reads: Arc<dyn ObjectStore>,
    pub(crate) uploads: Arc<dyn ObjectStore>,
    /// What every name begins with.
    pub(crate) prefix: Path,
    /// Whether it is somebody else's server, whose manners are not known.
    pub(crate) is_remote: bool,
    pub(crate) is_folder: bool,
}

/// A class of work: how long one request may take, and how long it is tried.
#[derive(Clone, Copy)]
struct Class {
    request: Duration,
    retries: usize,
    patience: Duration,
}

const SMALL: Class = Class { request: Duration::from_secs(5), retries: 3, patience: Duration::from_secs(15) };
const READS: Class =
    Class { request: Duration::from_secs(20), retries: 2, patience: Duration::from_secs(30) };
const UPLOADS: Class =
    Class { request: Duration::from_secs(120), retries: 3, patience: Duration::from_secs(240) };

impl Clients {
    /// A store that is no server does everything the same way.
    pub(crate) fn one(store: Arc<dyn ObjectStore>, prefix: Path) -> Clients {
        Clients {
            small: store.clone(),
            reads: store.clone(),
            uploads: store,
            prefix,
            is_remote: false,
            is_folder: false,
        }
    }

    /// Opens what the URL names, without asking it anything. For S3, who gives credentials is looked up.
    pub(crate) async fn open(
        url: &str,
        runtime: &Runtime,
        answers: &Arc<Answers>,
    ) -> Result<Clients, OpenError> {
        let counted = Counted(answers.clone());
        let parsed = Url::parse(url).map_err(|source| OpenError::Url { url: url.to_owned(), source })?;
        let failed = |source| OpenError::Store { url: url.to_owned(), source };
        let prefix = match parsed.scheme() {
            "file" => Path::default(),
            _ => Path::parse(parsed.path().trim_matches('/')).map_err(|error| failed(error.into()))?,
        };
        let remote = |client: &dyn Fn(Class) -> Result<Arc<dyn ObjectStore>, OpenError>| {
            Ok(Clients {
                small: client(SMALL)?,
                reads: client(READS)?,
                uploads: client(UPLOADS)?,
                prefix: prefix.clone(),
                is_remote: true,
                is_folder: false,
            })
        };
        match parsed.scheme() {
            "memory" => Ok(Clients::one(Arc::new(InMemory::new()), prefix)),
            "file" => {
                let folder = PathBuf::from(parsed.path());
                std::fs::create_dir_all(&folder)
                    .map_err(|source| OpenError::Folder { folder: folder.clone(), source })?;
                let store = LocalFileSystem::new_with_prefix(&folder).map_err(failed)?;
                let clients = Clients::one(Arc::new(store.with_fsync(true)), prefix);
                Ok(Clients { is_folder: true, ..clients })
            }
            "s3" => {
                let builder = s3(url, &parsed, runtime).await?.with_http_connector(counted);
                remote(&|class| {
                    let builder = builder.clone().with_retry(class.retries());
                    Ok(Arc::new(builder.with_client_options(class.options()).build().map_err(failed)?))
                })
            }
            "gs" | "az" => remote(&|class| cloud(url, &parsed, class, counted.clone())),
            other => Err(OpenError::Scheme(other.to_owned())),
        }
    }
}

impl Class {
    fn retries(self) -> RetryConfig {
        RetryConfig { max_retries: self.retries, retry_timeout: self.patience, ..RetryConfig::default() }
    }

    fn options(self) -> ClientOptions {
        ClientOptions::new()
            .with_timeout(self.request)
            .with_connect_timeout(Duration::from_secs(3))
            .with_allow_http(true)
    }
}

/// What all clients of a bucket have in common.
async fn s3(url: &str, parsed: &Url, runtime: &Runtime) -> Result<AmazonS3Builder, OpenError> {
    // Signing every byte costs more than sending it; what arrives is checked by a checksum instead.
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(parsed.host_str().unwrap_or_default())
        .with_unsigned_payload(true)
        .with_checksum_algorithm(Checksum::CRC64NVME);
    for (option, value) in parsed.query_pairs() {
        builder = match &*option {
            "endpoint" => builder.with_endpoint(value),
            "region" => builder.with_region(value),
            "path_style" => builder.with_virtual_hosted_style_request(value == "false"),
            other => return Err(unknown(url, other)),
        };
    }
    let is_aws = builder.get_config_value(&AmazonS3ConfigKey::Endpoint).is_none();
    let region = match builder.get_config_value(&AmazonS3ConfigKey::Region) {
        Some(region) => Some(region),
        None => credentials::region(is_aws).await,
    };
    if let Some(region) = &region {
        builder = builder.with_region(region);
    }
    Ok(builder.with_credentials(Arc::new(Credentials::load(region, runtime).await)))
}

fn cloud(url: &str, parsed: &Url, class: Class, counted: Counted) -> Result<Arc<dyn ObjectStore>, OpenError> {
    let failed = |source| OpenError::Store { url: url.to_owned(), source };
    let bucket = parsed.host_str().unwrap_or_default();
    if let Some((option, _)) = parsed.query_pairs().next() {
        return Err(unknown(url, &option));
    }
    if parsed.scheme() == "gs" {
        let builder = GoogleCloudStorageBuilder::from_env()
            .with_bucket_name(bucket)
            .with_http_connector(counted)
            .with_retry(class.retries())
            .with_client_options(class.options());
        return Ok(Arc::new(builder.build().map_err(failed)?));
    }
    let builder = MicrosoftAzureBuilder::from_env()
        .with_container_name(bucket)
        .with_http_connector(counted)
        .with_retry(class.retries())
        .with_client_options(class.options());
    Ok(Arc::new(builder.build().map_err(failed)?))
}

fn unknown(url: &str, option: &str) -> OpenError {
    OpenError::Option { url: url.to_owned(), option: option.to_owned() }
}
