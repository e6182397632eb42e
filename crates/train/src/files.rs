//! Files that are whole or not there at all.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data::{Error, Result};
use tempfile::NamedTempFile;

/// What temporary names begin with.
pub const TEMPORARY: &str = ".longhand-";

/// Writes `bytes` under a temporary name in the same folder, syncs, and renames: a reader sees the old
/// file or the new one, never a part.
///
/// # Errors
/// E042 with the system's reason; the old file is then unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = Pending::new(path)?;
    file.write_all(bytes).map_err(|e| cannot_write(path, &e))?;
    file.commit()
}

/// A file on its way: written under a temporary name in the same folder, it takes its place with
/// [`Pending::commit`]. Dropped before, it leaves nothing behind.
pub struct Pending {
    path: PathBuf,
    file: Target,
}

enum Target {
    New(NamedTempFile),
    /// A device or a pipe is written to, not replaced.
    There(File),
}

impl Pending {
    /// Begins a file.
    ///
    /// # Errors
    /// E042 with the system's reason.
    pub fn new(path: &Path) -> Result<Self> {
        let fail = |e: io::Error| cannot_write(path, &e);
        // A link stays a link.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if target.is_dir() {
            let error = Error::new("E042", format!("{} is a folder", path.display()));
            return Err(error.at(path, None, None).help("name a file in it"));
        }
        if fs::metadata(&target).is_ok_and(|m| !m.is_file()) {
            let file = File::options().write(true).open(&target).map_err(fail)?;
            return Ok(Self { path: target, file: Target::There(file) });
        }
        let folder =
            target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            let error = Error::new("E042", format!("there is no folder {}", folder.display()));
            return Err(error.at(path, None, None).help("make it first, or write elsewhere"));
        }
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(permissions())
            .tempfile_in(folder)
            .map_err(fail)?;
        Ok(Self { path: target, file: Target::New(file) })
    }

    /// The temporary name, if there is one.
    pub fn temporary(&self) -> Option<&Path> {
        match &self.file {
            Target::New(file) => Some(file.path()),
            Target::There(_) => None,
        }
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// E042 with the system's reason; a file that had the name is then unchanged.
    pub fn commit(self) -> Result<()> {
        let Target::New(file) = self.file else { return Ok(()) };
        file.as_file().sync_all().map_err(|e| cannot_write(&self.path, &e))?;
        file.persist(&self.path).map_err(|e| cannot_write(&self.path, &e.error))?;
        Ok(())
    }
}

impl Write for Pending {
    /// An error holds that of this crate, with the file's own name.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.file {
            Target::New(file) => file.write(bytes),
            Target::There(file) => file.write(bytes),
        };
        written.map_err(|e| io::Error::new(e.kind(), cannot_write(&self.path, &e)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // nothing is held back
    }
}

/// E042 for a file that cannot be written.
pub(crate) fn cannot_write(path: &Path, e: &io::Error) -> Error {
    if let Some(error) = e.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        return error.clone(); // it was told by `Pending`
    }
    cannot(&format!("write {}", path.display()), path, e)
}

fn cannot(what: &str, path: &Path, e: &io::Error) -> Error {
    let error = Error::new("E042", format!("cannot {what}: {}", reason(e))).at(path, None, None);
    match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            error.help("make room, or write elsewhere; what was written before is whole")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            error.help("write elsewhere with `-o`")
        }
        _ => error,
    }
}

/// What the system says, without the temporary name that nobody has heard of.
fn reason(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" at path ").next().unwrap_or(&text).to_owned()
}

/// What a new file is allowed; temporary files are private otherwise. The user's umask still applies.
#[cfg(unix)]
fn permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o666)
}

#[cfg(not(unix))]
fn permissions() -> fs::Permissions {
    fs::metadata(".").expect("a working directory").permissions()
}

/// Keeps other trainings out of a folder for as long as the value lives. None where the system cannot lock folders: then
/// nothing keeps them out.
///
/// # Errors
/// E012 if another is at work.
pub fn lock_folder(path: &Path) -> Result<Option<File>> {
    let Ok(folder) = File::open(path) else { return Ok(None) };
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::Error(_)) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let message =
                format!("another training or search writes into {} just now", path.display());
            let error = Error::new("E012", message);
            Err(error.help("wait until it has ended, or another folder with `-o`"))
        }
    }
}

/// Makes a folder and those above it.
///
/// # Errors
/// E042 with the system's reason.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .map_err(|e| cannot(&format!("make the folder {}", path.display()), path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let error = write_atomically(&dir.path().join("no/b.txt"), b"").unwrap_err();
        assert_eq!(error.code, "E042");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_locked_for_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let lock = lock_folder(dir.path()).unwrap();
        assert_eq!(lock_folder(dir.path()).unwrap_err().code, "E012");
        drop(lock);
        assert!(lock_folder(dir.path()).unwrap().is_some());
        assert!(lock_folder(&dir.path().join("none")).unwrap().is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_cannot_be_written_is_told_by_its_own_name() {
        let full = Path::new("/dev/full");
        let error = write_atomically(full, b"x").unwrap_err();
        assert!(error.message.starts_with("cannot write /dev/full: No space"), "{error}");
        let error = Pending::new(full).unwrap().write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.downcast::<Error>().unwrap().message.starts_with("cannot write /dev/full"));
    }
}
