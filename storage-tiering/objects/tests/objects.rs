//! Objects in a folder and in memory.

use aquifer_objects::{Operation, Problem, Store};
use aquifer_runtime::Runtime;
use bytes::Bytes;

async fn stores() -> (tempfile::TempDir, Vec<Store>) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("file://{}/bucket", folder.path().display());
    let mut stores = Vec::new();
    for url in [url.as_str(), "memory:///"] {
        stores.push(Store::open(url, &Runtime::real()).await.expect("a store"));
    }
    (folder, stores)
}

fn parts(texts: &[&'static str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
}

#[tokio::test]
async fn an_object_is_created_once_read_in_ranges_listed_and_deleted() {
    let (_folder, stores) = stores().await;
    for store in stores {
        store.create("a/b/one", &parts(&["hello, ", "world"])).await.expect("it is new");

        assert_eq!(store.read("a/b/one", 7..12).await.expect("it is there"), "world");
        assert_eq!(store.bytes_of("a/b/one").await.expect("it is there"), 12);
        let again = store.create("a/b/one", &parts(&["hello, wor", "ld"])).await;
        again.expect("the same object again is an answer that was lost");
        let other = store.create("a/b/one", &parts(&["something else"])).await.expect_err("taken");
        assert_eq!(other.problem, Problem::Taken);
        let as_long = store.create("a/b/one", &parts(&["hello, ", "there"])).await.expect_err("taken");
        assert_eq!(as_long.problem, Problem::Taken, "by something else of the same size");
        store.create("a/b/two", &parts(&["x"])).await.expect("it is new");
        store.create("a/c/three", &parts(&["x"])).await.expect("it is new");
        let names: Vec<_> =
            store.list("a").await.expect("listed").into_iter().map(|found| found.key).collect();
        assert_eq!(names, ["b/one", "b/two", "c/three"]);
        assert_eq!(store.roots().await.expect("listed"), ["a"]);

        store.copy("a/b/one", "z/copy").await.expect("copied");
        assert_eq!(store.read("z/copy", 0..12).await.expect("it is there"), "hello, world");
        let nothing = store.copy("a/b/none", "z/none").await.expect_err("there is none");
        assert_eq!(nothing.problem, Problem::Missing);

        store.delete("a/b/one").await.expect("deleted");
        store.delete("a/b/one").await.expect("deleting again changes nothing");
        let gone = store.read("a/b/one", 0..1).await.expect_err("it is gone");
        assert_eq!(gone.problem, Problem::Missing);
        let (created, failed) = store.counters().of(Operation::Create);
        assert_eq!((created, failed), (6, 3));
    }
}

#[tokio::test]
async fn ranges_beyond_an_object_are_not_cut_short() {
    let (_folder, stores) = stores().await;
    for store in stores {
        store.create("one", &parts(&["hello"])).await.expect("it is new");

        assert!(store.read("one", 3..9).await.is_err());
    }
}

#[tokio::test]
async fn good_stores_pass_the_probe_and_leave_nothing_behind() {
    let (_folder, stores) = stores().await;
    for store in stores {
        store.probe("p1").await.expect("it does everything");
        assert!(store.list("probe").await.expect("listed").is_empty());
    }
}

#[tokio::test]
async fn urls_that_name_no_store_are_refused_with_what_to_write() {
    for url in ["nonsense", "ftp://host/path", "s3://bucket/?colour=blue"] {
        let error = Store::open(url, &Runtime::real()).await.expect_err(url).to_string();
        assert!(error.contains("s3"), "{error}");
    }
}
