//! Whose a data directory is: its ids, read or, where it is new, drawn.
//!
//! The ids of a new directory stand in the file `founding` until its cluster is made, so that a power cut at any moment
//! before leaves a directory that the next start goes on with. From then on they stand in `meta`, and the raft log must
//! be there.

use std::io;
use std::path::Path;

use aquifer_disk::{Disk, DiskError};
use aquifer_hotlog::format::{Layout, Meta};
use aquifer_quorum::Beginning;
use aquifer_runtime::Runtime;
use aquifer_types::{ClusterId, DirectoryId};

use crate::error::StartError;
use crate::settings::Settings;

const META_BYTES_MAX: u64 = 4096;

/// The directory's ids, drawn when it is new. A directory that has data but no ids is not taken for a new one.
pub(crate) fn read_or_make(
    disk: &dyn Disk,
    layout: &Layout,
    settings: &Settings,
    runtime: &Runtime,
) -> Result<(Meta, Beginning), StartError> {
    disk.create_dir(layout.root())?;
    if let Some(meta) = read(disk, &layout.meta(), settings)? {
        return Ok((meta, Beginning::Existing));
    }
    let meta = match read(disk, &layout.founding(), settings)? {
        Some(meta) => {
            // Its name may stand in the page cache alone, of a process that was killed.
            make_name_durable(disk, layout.root())?;
            disk.sync_dir(layout.root())?;
            meta
        }
        None => make(disk, layout, settings, runtime)?,
    };
    Ok((meta, Beginning::New { cluster: meta.cluster }))
}

/// The cluster is made: from now on the directory belongs to it.
pub(crate) fn settle(disk: &dyn Disk, layout: &Layout) -> Result<(), DiskError> {
    disk.rename(&layout.founding(), &layout.meta())?;
    disk.sync_dir(layout.root())
}

fn read(disk: &dyn Disk, path: &Path, settings: &Settings) -> Result<Option<Meta>, StartError> {
    let bytes = match disk.read(path, META_BYTES_MAX) {
        Err(error) if error.is_not_found() => return Ok(None),
        read => read?,
    };
    let meta = Meta::decode(&bytes).map_err(|error| StartError::Meta { path: path.to_owned(), error })?;
    if meta.node != settings.node {
        let (root, configured) = (settings.data_dir.clone(), settings.node);
        return Err(StartError::OtherNode { root, found: meta.node, configured });
    }
    Ok(Some(meta))
}

fn make(
    disk: &dyn Disk,
    layout: &Layout,
    settings: &Settings,
    runtime: &Runtime,
) -> Result<Meta, StartError> {
    let entries = disk.list(layout.root())?;
    if entries.iter().any(|entry| entry.is_dir && entry.name != "lost+found") {
        return Err(StartError::MetaMissing(layout.root().to_owned()));
    }
    if !settings.bootstrap {
        return Err(StartError::Empty(layout.root().to_owned()));
    }
    let meta = Meta {
        cluster: ClusterId(runtime.random_uuid()),
        node: settings.node,
        directory: DirectoryId(runtime.random_uuid()),
    };
    make_name_durable(disk, layout.root())?;
    disk.replace(&layout.founding(), &meta.encode())?;
    Ok(meta)
}

/// A directory that was just created is lost in a power cut, with all that it holds, until what holds it is synced.
fn make_name_durable(disk: &dyn Disk, root: &Path) -> Result<(), DiskError> {
    for above in root.ancestors().skip(1) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match disk.sync_dir(above) {
            // Nobody creates anything in a directory that may not even be opened: it was there before.
            Err(error) if error.source.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}
