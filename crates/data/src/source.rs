//! From a file name to bytes: opening, unpacking gzip and zip, saying clearly what is missing.

use std::borrow::Cow;
use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;

use zip::result::ZipError;

use crate::error::{Error, Result, Warning};

/// Extensions by which a zip member counts as a corpus, best first.
const MEMBER_EXTENSIONS: [&str; 8] = ["csv", "conll", "iob2", "txt", "tsv", "conllu", "iob", "bio"];

/// Kaggle's archive holds a second csv in front of the one that people mean.
const KAGGLE_MEMBER: &str = "ner_dataset.csv";

/// The bytes of a file as they are.
///
/// # Errors
/// E021 with the nearest name when there is no such file, E022 when it cannot be read.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        return Err(is_folder(path));
    }
    std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => not_found(path),
        _ => Error::new("E022", format!("cannot read the file: {error}")).at(path, None, None),
    })
}

fn is_folder(path: &Path) -> Error {
    let error = Error::new("E022", "this is a folder, not a file").at(path, None, None);
    let mut names: Vec<String> = names_in(path).filter(|name| rank(name).is_some()).collect();
    names.sort();
    match names.first() {
        Some(name) => {
            error.help(format!("name a file in it, such as {}", path.join(name).display()))
        }
        None => error.help("name a file"),
    }
}

fn not_found(path: &Path) -> Error {
    let error = Error::new("E021", "no such file").at(path, None, None);
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return error.help(format!("there is no folder {}", folder.display()));
    }
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let distance =
        |name: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &wanted.to_lowercase());
    let near = names_in(folder).map(|name| (distance(&name), name)).min();
    match near {
        // Up to a third of the letters may differ; `.gz` alone always may.
        Some((distance, name)) if 3 * distance <= wanted.chars().count().max(9) => {
            let name = if folder == Path::new(".") { name.into() } else { folder.join(name) };
            error.help(format!("did you mean {}?", name.display()))
        }
        _ => error,
    }
}

fn names_in(folder: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// A file, unpacked if its first bytes say that it is packed.
#[derive(Debug)]
pub(crate) struct Unpacked<'a> {
    pub bytes: Cow<'a, [u8]>,
    pub member: Option<String>,
    pub warnings: Vec<Warning>,
}

/// Undoes gzip and zip, told by the first bytes and not by the name.
///
/// `member` names the member of a zip archive; by default it is `ner_dataset.csv`, else the first
/// `.csv`, else the first `.conll` and so on.
///
/// # Errors
/// E024 for a damaged or encrypted archive and for one without such a member.
pub(crate) fn unpack<'a>(
    name: &str,
    bytes: Cow<'a, [u8]>,
    member: Option<&str>,
) -> Result<Unpacked<'a>> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return gunzip(name, &bytes);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return unzip(name, &bytes, member);
    }
    Ok(Unpacked { bytes, member: None, warnings: Vec::new() })
}

fn gunzip(name: &str, packed: &[u8]) -> Result<Unpacked<'static>> {
    // The last four bytes hold the unpacked size; a lie in them must not reserve the whole memory.
    let size = packed.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let mut bytes = Vec::with_capacity(size.min(20 * packed.len()));
    let mut decoder = flate2::bufread::MultiGzDecoder::new(packed);
    decoder.read_to_end(&mut bytes).map_err(|error| {
        let what = match error.kind() {
            ErrorKind::UnexpectedEof => "the gzip data ends too early".to_string(),
            _ => format!("the gzip data is damaged ({error})"),
        };
        let read = bytes.len();
        Error::new("E024", format!("{what}, after {read} unpacked bytes"))
            .at(name, None, None)
            .help("fetch the file again: the download was probably cut off")
    })?;
    Ok(Unpacked { bytes: Cow::Owned(bytes), member: None, warnings: Vec::new() })
}

fn unzip(name: &str, packed: &[u8], wanted: Option<&str>) -> Result<Unpacked<'static>> {
    let damaged = |error: &dyn std::fmt::Display| {
        Error::new("E024", format!("the zip archive is damaged ({error})"))
            .at(name, None, None)
            .help("fetch the file again: the download was probably cut off")
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(packed)).map_err(|e| damaged(&e))?;
    let names: Vec<String> =
        archive.file_names_raw().map(|raw| String::from_utf8_lossy(raw).into_owned()).collect();
    let (index, others) =
        choose(&names, wanted).ok_or_else(|| no_member(&names, wanted).at(name, None, None))?;
    let mut file = archive.by_index(index).map_err(|error| match error {
        ZipError::InvalidArchive(_) | ZipError::Io(_) => damaged(&error),
        // A password, or a way of packing that is rare.
        error => Error::new("E024", format!("cannot unpack member {:?}: {error}", names[index]))
            .at(name, None, None)
            .help("unpack the archive yourself and give the file"),
    })?;
    let mut bytes = Vec::with_capacity((file.size() as usize).min(20 * packed.len()));
    file.read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
    let mut warnings = Vec::new();
    if wanted.is_none() && !others.is_empty() {
        let message = format!("read {:?} of the archive, not {}", names[index], others.join(", "));
        warnings.push(
            Warning::new("W024", message).at(name, None, None).help("unpack it to read another"),
        );
    }
    Ok(Unpacked { bytes: Cow::Owned(bytes), member: Some(names[index].clone()), warnings })
}

/// Place of the member to read, and the names of others that might have been meant.
fn choose(names: &[String], wanted: Option<&str>) -> Option<(usize, Vec<String>)> {
    if let Some(wanted) = wanted {
        return names.iter().position(|name| name == wanted).map(|index| (index, Vec::new()));
    }
    let mut candidates: Vec<(usize, usize)> =
        names.iter().enumerate().filter_map(|(i, name)| Some((rank(name)?, i))).collect();
    candidates.sort_unstable();
    let (&(_, chosen), others) = candidates.split_first()?;
    Some((chosen, others.iter().map(|&(_, i)| format!("{:?}", names[i])).collect()))
}

/// How well a name suits a corpus, 0 best; `None` where it does not.
fn rank(name: &str) -> Option<usize> {
    let base = name.rsplit('/').next().unwrap_or(name);
    // A Mac's archiver adds a shadow `._name` for each file.
    if base.starts_with("._") || name.starts_with("__MACOSX") {
        return None;
    }
    if base == KAGGLE_MEMBER {
        return Some(0);
    }
    let (_, extension) = base.strip_suffix(".gz").unwrap_or(base).rsplit_once('.')?;
    let known = MEMBER_EXTENSIONS.iter().position(|e| extension.eq_ignore_ascii_case(e))?;
    Some(known + 1)
}

fn no_member(names: &[String], wanted: Option<&str>) -> Error {
    if names.iter().any(|name| name.starts_with("xl/")) {
        return Error::new("E024", "this is an Excel workbook, not a csv file")
            .help("open it in the spreadsheet and save it as CSV (UTF-8)");
    }
    let found: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
    let found = if found.is_empty() { "nothing".to_string() } else { found.join(", ") };
    match wanted {
        Some(wanted) => Error::new("E024", format!("no member {wanted:?} in the archive"))
            .help(format!("it holds {found}")),
        None => Error::new("E024", "no .csv, .conll, .iob2 or .txt file in the archive")
            .help(format!("it holds {found}")),
    }
}
