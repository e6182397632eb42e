//! Files that are whole or not there at all.

use std::fs;
use std::io::Write;
use std::path::Path;

use data::{Error, Result};

/// Writes `bytes` under a temporary name in the same folder, syncs, and renames: a reader sees the old
/// file or the new one, never a part.
///
/// # Errors
/// E042 with the system's reason; the old file is then unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |e: std::io::Error| {
        Error::new("E042", format!("cannot write {}: {e}", path.display())).at(path, None, None)
    };
    // A link stays a link, and a device or a pipe is written to, not replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        return fs::write(&target, bytes).map_err(fail);
    }
    let path = target.as_path();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".longhand-")
        .permissions(permissions())
        .tempfile_in(folder)
        .map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
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

/// Makes a folder and those above it.
///
/// # Errors
/// E042 with the system's reason.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| {
        Error::new("E042", format!("cannot make the folder {}: {e}", path.display()))
            .at(path, None, None)
    })
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
}
