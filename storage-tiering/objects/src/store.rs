//! `Store`: what can be done with objects.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aquifer_runtime::{Runtime, Task};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{
    GetOptions, GetResult, GetResultPayload, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
    PutPayload,
};

use crate::counters::{Counters, Operation};
use crate::error::{ObjectError, Problem};
use crate::open::{Clients, OpenError};

/// How often creating is tried where nobody said what became of it.
const CREATE_ATTEMPTS: usize = 3;
/// How much of an object's end says whether it is ours: names and ends carry the same random number.
const TAIL_BYTES: u64 = 64;
/// What of a file is read at a time.
const PIECE_BYTES: usize = 256 << 10;

/// A bucket, or a part of one. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) clients: Clients,
    pub(crate) counters: Arc<Counters>,
    runtime: Runtime,
}

/// What is being asked on the store's own threads. It ends with this.
struct Asking<T>(Task<T>);

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub bytes: u64,
    /// When the store took it in, by its clock, in milliseconds.
    pub modified_ms: i64,
}

/// An object in a folder, of which a stretch was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPlace {
    pub path: PathBuf,
    /// The CRC-32C of the stretch.
    pub crc: u32,
}

impl Store {
    /// Opens the store that a URL names, without asking it anything. Everything that is asked later runs on the runtime's threads,
    /// whoever waits for it.
    pub async fn open(url: &str, runtime: &Runtime) -> Result<Store, OpenError> {
        let counters = Arc::new(Counters::default());
        let clients = Clients::open(url, runtime, &counters.answers).await?;
        Ok(Store { clients, counters, runtime: runtime.clone() })
    }

    /// A store that was opened already, and is asked without being probed.
    #[must_use]
    pub fn over(store: Arc<dyn ObjectStore>, runtime: &Runtime) -> Store {
        Store {
            clients: Clients::one(store, Path::default()),
            counters: Arc::default(),
            runtime: runtime.clone(),
        }
    }

    /// Opens a store that must be there already: a folder is not made.
    pub async fn open_existing(url: &str, runtime: &Runtime) -> Result<Store, OpenError> {
        let store_url = url::Url::parse(url).ok().filter(|parsed| parsed.scheme() == "file");
        if let Some(folder) = store_url.map(|parsed| PathBuf::from(parsed.path()))
            && !folder.is_dir()
        {
            return Err(OpenError::NoFolder(folder));
        }
        Store::open(url, runtime).await
    }

    /// Whether it is somebody else's server, whose manners are to be tried out before anything relies on them.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.clients.is_remote
    }

    /// Whether it is a folder of this machine, whose objects are files.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.clients.is_folder
    }

    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn path(&self, key: &str) -> Path {
        self.clients.prefix.parts().chain(Path::from(key).parts()).collect()
    }

    /// Creates an object of these parts. `Ok` says that it is there, wholly, whoever's answers were lost.
    pub async fn create(&self, key: &str, parts: &[Bytes]) -> Result<(), ObjectError> {
        let payload: PutPayload = parts.iter().cloned().collect();
        let bytes: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let path = self.path(key);
        let mut last = None;
        for _ in 0..CREATE_ATTEMPTS {
            self.counters.ask(Operation::Create);
            let (client, path, payload) = (self.clients.uploads.clone(), path.clone(), payload.clone());
            let options = PutOptions::from(PutMode::Create);
            let created = self.ask(async move { client.put_opts(&path, payload, options).await });
            let Err(error) = created.await else {
                self.counters.wrote(bytes);
                return Ok(());
            };
            self.counters.fail(Operation::Create);
            let error = ObjectError::of(Operation::Create, key, &error);
            if error.problem == Problem::Denied {
                return Err(error);
            }
            // A retry inside the client may have met what its first attempt left, and an answer may have been lost.
            match self.is_ours(key, parts, bytes).await {
                Ok(true) => {
                    self.counters.wrote(bytes);
                    return Ok(());
                }
                Ok(false) => {
                    return Err(ObjectError::new(
                        Operation::Create,
                        key,
                        Problem::Taken,
                        "the name is taken",
                    ));
                }
                Err(looked) if looked.problem == Problem::Missing => last = Some(error),
                Err(_) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            ObjectError::new(Operation::Create, key, Problem::Unavailable, "the store did not answer")
        }))
    }

    /// Whether the object of this name is the one that was to be created.
    async fn is_ours(&self, key: &str, parts: &[Bytes], bytes: u64) -> Result<bool, ObjectError> {
        if self.bytes_of(key).await? != bytes {
            return Ok(false);
        }
        let from = bytes.saturating_sub(TAIL_BYTES);
        let found = self.read(key, from..bytes).await?;
        let mut own: Vec<u8> = Vec::new();
        let mut at = 0;
        for part in parts {
            let end = at + part.len() as u64;
            if end > from {
                let skipped = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX);
                own.extend_from_slice(part.get(skipped..).unwrap_or_default());
            }
            at = end;
        }
        Ok(found == own)
    }

    /// How large the object is.
    pub async fn bytes_of(&self, key: &str) -> Result<u64, ObjectError> {
        self.counters.ask(Operation::Look);
        let (client, path) = (self.clients.small.clone(), self.path(key));
        let looked = self.ask(async move { client.head(&path).await }).await;
        looked.map(|meta| meta.size).map_err(|error| self.failed(Operation::Look, key, &error))
    }

    /// Exactly these bytes of an object.
    pub async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytes, ObjectError> {
        Ok(self.read_with(&self.clients.reads, key, range).await?.0)
    }

    /// The same with their CRC-32C, which costs little while they come in.
    pub async fn read_checksummed(&self, key: &str, range: Range<u64>) -> Result<(Bytes, u32), ObjectError> {
        self.read_with(&self.clients.reads, key, range).await
    }

    /// The same for small things that many wait for.
    pub async fn read_small(&self, key: &str, range: Range<u64>) -> Result<Bytes, ObjectError> {
        Ok(self.read_with(&self.clients.small, key, range).await?.0)
    }

    async fn read_with(
        &self,
        client: &Arc<dyn ObjectStore>,
        key: &str,
        range: Range<u64>,
    ) -> Result<(Bytes, u32), ObjectError> {
        self.counters.ask(Operation::Read);
        let wanted = range.end.saturating_sub(range.start);
        let (client, path) = (client.clone(), self.path(key));
        let read = self.ask(async move {
            let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
            collected(client.get_opts(&path, options).await?, wanted).await
        });
        let (bytes, crc) = read.await.map_err(|error| self.failed(Operation::Read, key, &error))?;
        self.counters.read(bytes.len() as u64);
        if bytes.len() as u64 != wanted {
            self.counters.fail(Operation::Read);
            let message = format!("{} bytes came where {wanted} were asked for", bytes.len());
            return Err(ObjectError::new(Operation::Read, key, Problem::Corrupt, message));
        }
        Ok((bytes, crc))
    }

    /// Reads these bytes of an object and keeps nothing but their checksum; of a store that is a folder.
    pub async fn look_in_place(&self, key: &str, range: Range<u64>) -> Result<InPlace, ObjectError> {
        self.counters.ask(Operation::Read);
        let (client, path) = (self.clients.reads.clone(), self.path(key));
        let opened = self.ask(async move { client.get_opts(&path, GetOptions::default()).await });
        let answer = opened.await.map_err(|error| self.failed(Operation::Read, key, &error))?;
        let refused = |message: String| {
            self.counters.fail(Operation::Read);
            ObjectError::new(Operation::Read, key, Problem::Unavailable, message)
        };
        let GetResultPayload::File(file, path) = answer.payload else {
            return Err(refused("the store has no files".to_owned()));
        };
        let bytes = range.end.saturating_sub(range.start);
        let summed = self.runtime.spawn_blocking("sum-file", move || sum(&file, range)).await;
        match summed {
            Some(Ok(crc)) => {
                self.counters.read(bytes);
                Ok(InPlace { path, crc })
            }
            Some(Err(error)) => Err(refused(error.to_string())),
            None => Err(refused("reading ended in the middle".to_owned())),
        }
    }

    /// Has the store copy an object to a name that nobody else uses.
    pub async fn copy(&self, from: &str, to: &str) -> Result<(), ObjectError> {
        self.counters.ask(Operation::Copy);
        let (client, source, target) = (self.clients.uploads.clone(), self.path(from), self.path(to));
        let copied = self.ask(async move { client.copy(&source, &target).await }).await;
        copied.map_err(|error| self.failed(Operation::Copy, from, &error))
    }

    /// Deletes an object; one that is not there is deleted.
    pub async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.counters.ask(Operation::Delete);
        let (client, path) = (self.clients.small.clone(), self.path(key));
        match self.ask(async move { client.delete(&path).await }).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(Operation::Delete, key, &error)),
        }
    }

    /// Every object whose name begins with these parts, with its name from there on.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>, ObjectError> {
        self.counters.ask(Operation::List);
        let within = self.path(prefix);
        let (client, asked) = (self.clients.small.clone(), within.clone());
        let found: Result<Vec<_>, _> =
            self.ask(async move { client.list(Some(&asked)).try_collect().await }).await;
        let found = found.map_err(|error| self.failed(Operation::List, prefix, &error))?;
        let mut listed: Vec<Listed> = found
            .into_iter()
            .filter_map(|meta| {
                let rest = meta.location.prefix_match(&within)?;
                let parts: Vec<String> = rest.map(|part| part.as_ref().to_owned()).collect();
                let modified_ms = meta.last_modified.timestamp_millis();
                Some(Listed { key: parts.join("/"), bytes: meta.size, modified_ms })
            })
            .collect();
        listed.sort_by(|left, right| left.key.cmp(&right.key));
        Ok(listed)
    }

    /// The first parts of all names.
    pub async fn roots(&self) -> Result<Vec<String>, ObjectError> {
        self.counters.ask(Operation::List);
        let prefix = self.path("");
        let client = self.clients.small.clone();
        let found = self.ask(async move { client.list_with_delimiter(Some(&prefix)).await }).await;
        let found = found.map_err(|error| self.failed(Operation::List, "", &error))?;
        let folders = found.common_prefixes.iter();
        Ok(folders.filter_map(|folder| folder.filename().map(str::to_owned)).collect())
    }

    async fn ask<T: Send + 'static>(
        &self,
        asked: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> object_store::Result<T> {
        Asking(self.runtime.spawn("ask-store", asked)).await.unwrap_or_else(|| {
            Err(object_store::Error::Generic {
                store: "store",
                source: "the request ended in the middle".into(),
            })
        })
    }

    pub(crate) fn failed(&self, operation: Operation, key: &str, error: &object_store::Error) -> ObjectError {
        self.counters.fail(operation);
        ObjectError::of(operation, key, error)
    }
}

impl<T> Future for Asking<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Asking<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The CRC-32C of a stretch of a file, in pieces that the processor's cache holds. Waits for the disk.
fn sum(file: &File, mut range: Range<u64>) -> io::Result<u32> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut crc = 0;
    while !range.is_empty() {
        let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(PIECE_BYTES);
        file.read_exact_at(&mut piece[..wanted], range.start)?;
        crc = crc32c::crc32c_append(crc, &piece[..wanted]);
        range.start += wanted as u64;
    }
    Ok(crc)
}

/// All bytes of an answer, and their CRC-32C. What comes in pieces is summed while the processor's cache still has it.
async fn collected(answer: GetResult, wanted: u64) -> object_store::Result<(Bytes, u32)> {
    if let GetResultPayload::File(..) = answer.payload {
        let bytes = answer.bytes().await?;
        let crc = crc32c::crc32c(&bytes);
        return Ok((bytes, crc));
    }
    let mut pieces = answer.into_stream();
    let Some(first) = pieces.try_next().await? else { return Ok((Bytes::new(), 0)) };
    let mut crc = crc32c::crc32c(&first);
    if first.len() as u64 >= wanted {
        return Ok((first, crc));
    }
    let mut bytes = BytesMut::with_capacity(usize::try_from(wanted).unwrap_or(0));
    bytes.extend_from_slice(&first);
    while let Some(piece) = pieces.try_next().await? {
        crc = crc32c::crc32c_append(crc, &piece);
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes.freeze(), crc))
}
