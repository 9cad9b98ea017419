//! The store with faults, and those who decide when there are any.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aquifer_objects::Store;
use aquifer_runtime::Runtime;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::fate::{Asked, Fate};

/// When there are faults. Clones are handles to the same ones.
#[derive(Clone, Debug)]
pub struct Faults {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    runtime: Runtime,
    /// Of a thousand requests so many have one.
    per_mille: AtomicU64,
    is_away: AtomicBool,
    requests: AtomicU64,
    had_faults: AtomicU64,
}

#[derive(Clone)]
struct Faulty {
    store: Arc<dyn ObjectStore>,
    faults: Faults,
}

/// An empty store in memory, seen through faults and without.
#[must_use]
pub fn faulty(runtime: &Runtime) -> (Store, Store, Faults) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let inner = Inner {
        runtime: runtime.clone(),
        per_mille: AtomicU64::new(0),
        is_away: AtomicBool::new(false),
        requests: AtomicU64::new(0),
        had_faults: AtomicU64::new(0),
    };
    let faults = Faults { inner: Arc::new(inner) };
    let seen = Arc::new(Faulty { store: store.clone(), faults: faults.clone() });
    (Store::over(seen, runtime), Store::over(store, runtime), faults)
}

impl Faults {
    /// Of a thousand requests so many have faults from now on.
    pub fn set(&self, per_mille: u64) {
        self.inner.per_mille.store(per_mille, Ordering::Relaxed);
    }

    /// Nobody answers while it is away.
    pub fn set_away(&self, is_away: bool) {
        self.inner.is_away.store(is_away, Ordering::Relaxed);
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.inner.requests.load(Ordering::Relaxed)
    }

    /// Requests so far that had faults.
    #[must_use]
    pub fn had_faults(&self) -> u64 {
        self.inner.had_faults.load(Ordering::Relaxed)
    }

    fn draw(&self, asked: Asked) -> Result<Fate> {
        let inner = &self.inner;
        inner.requests.fetch_add(1, Ordering::Relaxed);
        let is_away = inner.is_away.load(Ordering::Relaxed);
        let has_fault = inner.runtime.random_u64() % 1_000 < inner.per_mille.load(Ordering::Relaxed);
        let fate = if has_fault { Fate::drawn(asked, inner.runtime.random_u64()) } else { Fate::Good };
        inner.had_faults.fetch_add(u64::from(is_away || fate != Fate::Good), Ordering::Relaxed);
        if is_away { Err(generic("nobody answers")) } else { Ok(fate) }
    }
}

impl Faulty {
    /// Does what is asked, or does not, as its fate has it.
    async fn ask<T: Send + 'static>(
        &self,
        asked: Asked,
        path: &Path,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> (Fate, Result<T>) {
        let fate = match self.faults.draw(asked) {
            Ok(fate) => fate,
            Err(error) => return (Fate::Good, Err(error)),
        };
        let runtime = &self.faults.inner.runtime;
        let path = path.to_string();
        let outcome = match fate {
            Fate::Good | Fate::Short | Fate::Garbled => work.await,
            Fate::Pause(pause) => {
                runtime.sleep(pause).await;
                work.await
            }
            Fate::LostAnswer => {
                drop(work.await);
                Err(generic("the connection broke"))
            }
            Fate::DoneBefore => {
                work.await.and(Err(Error::AlreadyExists { path, source: "it exists".into() }))
            }
            Fate::Conflict => Err(Error::AlreadyExists { path, source: "somebody else creates it".into() }),
            Fate::Throttled => Err(generic("503 Service Unavailable: SlowDown")),
            Fate::Denied => Err(Error::PermissionDenied { path, source: "403 Forbidden".into() }),
            Fate::Late(pause) => {
                let late = runtime.clone();
                runtime.spawn("late request", async move {
                    late.sleep(pause).await;
                    drop(work.await);
                });
                Err(generic("nobody answers"))
            }
        };
        (fate, outcome)
    }
}

fn generic(what: &'static str) -> Error {
    Error::Generic { store: "faulty", source: what.into() }
}

/// What comes of an answer in place of its bytes.
fn spoiled(fate: Fate, bytes: &Bytes, random: u64) -> Bytes {
    let at = usize::try_from(random).unwrap_or(0) % bytes.len().max(1);
    let mut spoiled = bytes.to_vec();
    match fate {
        Fate::Short => spoiled.truncate(at),
        _ => spoiled.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x10),
    }
    Bytes::from(spoiled)
}

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let (store, target) = (self.store.clone(), path.clone());
        let work = async move { store.put_opts(&target, payload, options).await };
        self.ask(Asked::Create, path, work).await.1
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let (store, source) = (self.store.clone(), path.clone());
        let asked = if options.head { Asked::Other } else { Asked::Read };
        let (fate, found) =
            self.ask(asked, path, async move { store.get_opts(&source, options).await }).await;
        let found = found?;
        if !matches!(fate, Fate::Short | Fate::Garbled) {
            return Ok(found);
        }
        let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
        let extensions = found.extensions.clone();
        let bytes = spoiled(fate, &found.bytes().await?, self.faults.inner.runtime.random_u64());
        let range: Range<u64> = range.start..range.start + bytes.len() as u64;
        let payload = GetResultPayload::Stream(stream::once(async move { Ok(bytes) }).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let faulty = self.clone();
        let deleted = locations.then(move |path| {
            let faulty = faulty.clone();
            async move {
                let path = path?;
                let one = stream::once({
                    let path = path.clone();
                    async move { Ok(path) }
                });
                let mut deleting = faulty.store.delete_stream(one.boxed());
                let work = async move { deleting.next().await.unwrap_or_else(|| Err(generic("no answer"))) };
                faulty.ask(Asked::Other, &path, work).await.1
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (faulty, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            let path = prefix.clone().unwrap_or_default();
            let names = faulty.store.list(prefix.as_ref());
            let work = async move { Ok(names.collect::<Vec<_>>().await) };
            match faulty.ask(Asked::Other, &path, work).await.1 {
                Ok(found) => found,
                Err(error) => vec![Err(error)],
            }
        };
        listed.map(stream::iter).flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let (store, within) = (self.store.clone(), prefix.cloned());
        let work = async move { store.list_with_delimiter(within.as_ref()).await };
        self.ask(Asked::Other, &prefix.cloned().unwrap_or_default(), work).await.1
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (store, source, target) = (self.store.clone(), from.clone(), to.clone());
        let work = async move { store.copy_opts(&source, &target, options).await };
        self.ask(Asked::Other, from, work).await.1
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with faults", self.store)
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
