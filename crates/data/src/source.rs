//! From a file name to bytes: opening, unpacking gzip and zip, saying clearly what is missing.
//!
//! Two ways lead there: corpora are read whole ([`read_file`], [`unpack`]), since a message shows
//! what stands around a mistake; vectors may be larger than memory and pass by ([`stream`]).

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use crate::error::{Error, Result, Warning};

/// What a file is to hold: tells which of several in a folder or an archive is meant.
pub(crate) struct Kind {
    /// The name that goes before all others; empty if there is none.
    favourite: &'static str,
    /// Extensions of such files, best first.
    extensions: &'static [&'static str],
    /// The commonest of them, as a message lists them.
    listed: &'static str,
}

/// Tagged or plain text.
pub(crate) const CORPUS: Kind = Kind {
    favourite: KAGGLE_MEMBER,
    extensions: &["csv", "conll", "iob2", "txt", "tsv", "conllu", "iob", "bio"],
    listed: ".csv, .conll, .iob2 or .txt",
};

/// Word vectors.
pub(crate) const VECTORS: Kind =
    Kind { favourite: "", extensions: &["vec", "txt", "bin"], listed: ".txt, .vec or .bin" };

/// Kaggle's archive holds a second csv in front of the one that people mean.
const KAGGLE_MEMBER: &str = "ner_dataset.csv";

/// The bytes of a file as they are.
///
/// # Errors
/// E021 with the nearest name when there is no such file, E022 when it cannot be read.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        return Err(is_folder(path, &CORPUS));
    }
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => not_found(path),
        _ => Error::new("E022", format!("cannot read the file: {error}")).at(path, None, None),
    }
}

fn is_folder(path: &Path, kind: &Kind) -> Error {
    let error = Error::new("E022", "this is a folder, not a file").at(path, None, None);
    let mut names: Vec<String> = names_in(path).filter(|name| kind.rank(name).is_some()).collect();
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
    let typed = path.to_string_lossy();
    if typed.starts_with("https://") || typed.starts_with("http://") {
        return error.help("only files are read; fetch it first: curl -LO URL");
    }
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
    match Packing::of(&bytes) {
        Packing::None => Ok(Unpacked { bytes, member: None, warnings: Vec::new() }),
        Packing::Gzip => gunzip(name, &bytes),
        Packing::Zip => unzip(name, &bytes, member),
    }
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zip,
}

impl Packing {
    fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            Self::Zip
        } else {
            Self::None
        }
    }

    /// E024, or E022 where nothing is packed: reading went wrong in the midst of a file.
    fn broken(self, name: &str, error: &io::Error) -> Error {
        let (code, what) = match (self, error.kind()) {
            (Self::None, _) => ("E022", format!("cannot read the file: {error}")),
            (Self::Gzip, ErrorKind::UnexpectedEof) => {
                ("E024", "the gzip data ends too early".to_string())
            }
            (Self::Gzip, _) => ("E024", format!("the gzip data is damaged ({error})")),
            (Self::Zip, _) => ("E024", format!("the zip archive is damaged ({error})")),
        };
        let error = Error::new(code, what).at(name, None, None);
        if self == Self::None { error } else { error.help(FETCH_AGAIN) }
    }
}

const FETCH_AGAIN: &str = "fetch the file again: the download was probably cut off";

fn gunzip(name: &str, packed: &[u8]) -> Result<Unpacked<'static>> {
    // The last four bytes hold the unpacked size; a lie in them must not reserve the whole memory.
    let size = packed.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let mut bytes = Vec::with_capacity(size.min(20 * packed.len()));
    let mut decoder = flate2::bufread::MultiGzDecoder::new(packed);
    decoder.read_to_end(&mut bytes).map_err(|error| {
        let mut error = Packing::Gzip.broken(name, &error);
        error.message.push_str(&format!(", after {} unpacked bytes", bytes.len()));
        error
    })?;
    Ok(Unpacked { bytes: Cow::Owned(bytes), member: None, warnings: Vec::new() })
}

fn unzip(name: &str, packed: &[u8], wanted: Option<&str>) -> Result<Unpacked<'static>> {
    let mut archive = ZipArchive::new(Cursor::new(packed)).map_err(|e| damaged(name, &e))?;
    let (mut file, member, warnings) = open_member(&mut archive, name, &CORPUS, wanted)?;
    let mut bytes = Vec::with_capacity((file.size() as usize).min(20 * packed.len()));
    file.read_to_end(&mut bytes).map_err(|error| Packing::Zip.broken(name, &error))?;
    Ok(Unpacked { bytes: Cow::Owned(bytes), member: Some(member), warnings })
}

fn damaged(name: &str, error: &ZipError) -> Error {
    Error::new("E024", format!("the zip archive is damaged ({error})"))
        .at(name, None, None)
        .help(FETCH_AGAIN)
}

/// The member that is meant, its name, and a warning where others might have been.
fn open_member<'a, R: Read + Seek>(
    archive: &'a mut ZipArchive<R>,
    name: &str,
    kind: &Kind,
    wanted: Option<&str>,
) -> Result<(ZipFile<'a, R>, String, Vec<Warning>)> {
    let names: Vec<String> =
        archive.file_names_raw().map(|raw| String::from_utf8_lossy(raw).into_owned()).collect();
    let (index, others) = choose(&names, kind, wanted)
        .ok_or_else(|| no_member(&names, kind, wanted).at(name, None, None))?;
    let member = names[index].clone();
    let mut warnings = Vec::new();
    if wanted.is_none() && !others.is_empty() {
        let message = format!("read {member:?} of the archive, not {}", others.join(", "));
        warnings.push(
            Warning::new("W024", message).at(name, None, None).help("unpack it to read another"),
        );
    }
    let file = archive.by_index(index).map_err(|error| match error {
        ZipError::InvalidArchive(_) | ZipError::Io(_) => damaged(name, &error),
        // A password, or a way of packing that is rare.
        error => Error::new("E024", format!("cannot unpack member {member:?}: {error}"))
            .at(name, None, None)
            .help("unpack the archive yourself and give the file"),
    })?;
    Ok((file, member, warnings))
}

/// An open file of which the unpacked bytes come piece by piece.
pub(crate) struct Stream<'a> {
    pub reader: Box<dyn BufRead + 'a>,
    /// The file as messages call it.
    pub name: &'a str,
    /// The member that is read, if the file is a zip archive.
    pub member: Option<String>,
    pub warnings: Vec<Warning>,
    packing: Packing,
}

impl Stream<'_> {
    /// What to say when `reader` failed, so far without a line.
    pub fn broken(&self, error: &io::Error) -> Error {
        self.packing.broken(self.name, error)
    }
}

/// Bytes that are asked for at a time.
const PIECE: usize = 1 << 17;

/// Opens a file and hands its unpacked bytes to `read` as a stream, so that it may be larger than
/// memory. A path that goes on behind a zip archive names the member: `glove.6B.zip/glove.6B.300d.txt`.
///
/// What is damaged within an archive comes out as it is: only at the end does the check sum tell.
///
/// # Errors
/// E021, E022 and E024, as [`read_file`] and [`unpack`]; and what `read` returns.
pub(crate) fn stream<T>(
    given: &Path,
    kind: &Kind,
    read: impl FnOnce(Stream<'_>) -> Result<T>,
) -> Result<T> {
    if given.is_dir() {
        return Err(is_folder(given, kind));
    }
    let (path, wanted) = split_member(given);
    let name = &*path.to_string_lossy();
    let mut file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head).map_err(|error| unreadable(&path, &error))?;
    let packing = Packing::of(&head);
    if packing == Packing::Zip {
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| damaged(name, &e))?;
        let (file, member, warnings) = open_member(&mut archive, name, kind, wanted.as_deref())?;
        let help = format!("a path names another: {name}/MEMBER");
        let warnings = warnings.into_iter().map(|warning| warning.help(&*help)).collect();
        let reader = Box::new(BufReader::with_capacity(PIECE, file));
        return read(Stream { reader, name, member: Some(member), warnings, packing });
    }
    if wanted.is_some() {
        return Err(not_found(given));
    }
    // The four bytes go in front again: a pipe cannot be wound back.
    let whole = Cursor::new(head).chain(file);
    let reader: Box<dyn BufRead> = match packing {
        Packing::Gzip => {
            let unpacked = flate2::read::MultiGzDecoder::new(whole);
            Box::new(BufReader::with_capacity(PIECE, unpacked))
        }
        _ => Box::new(BufReader::with_capacity(PIECE, whole)),
    };
    read(Stream { reader, name, member: None, warnings: Vec::new(), packing })
}

/// A path that runs through a file, cut into that file and what stands behind it.
fn split_member(path: &Path) -> (PathBuf, Option<String>) {
    let file = path.ancestors().skip(1).find(|ancestor| ancestor.is_file());
    match file.and_then(|file| Some((file, path.strip_prefix(file).ok()?))) {
        Some((file, member)) => {
            // Members are named with slashes on every system.
            let parts: Vec<_> = member.iter().map(|part| part.to_string_lossy()).collect();
            (file.to_path_buf(), Some(parts.join("/")))
        }
        None => (path.to_path_buf(), None),
    }
}

/// Place of the member to read, and the names of others that might have been meant.
fn choose(names: &[String], kind: &Kind, wanted: Option<&str>) -> Option<(usize, Vec<String>)> {
    if let Some(wanted) = wanted {
        return names.iter().position(|name| name == wanted).map(|index| (index, Vec::new()));
    }
    let mut candidates: Vec<(usize, usize)> =
        names.iter().enumerate().filter_map(|(i, name)| Some((kind.rank(name)?, i))).collect();
    candidates.sort_unstable();
    let (&(_, chosen), others) = candidates.split_first()?;
    Some((chosen, others.iter().map(|&(_, i)| format!("{:?}", names[i])).collect()))
}

impl Kind {
    /// How well a name suits, 0 best; `None` where it does not.
    fn rank(&self, name: &str) -> Option<usize> {
        let base = name.rsplit('/').next().unwrap_or(name);
        // A Mac's archiver adds a shadow `._name` for each file.
        if base.starts_with("._") || name.starts_with("__MACOSX") {
            return None;
        }
        if base == self.favourite {
            return Some(0);
        }
        let (_, extension) = base.strip_suffix(".gz").unwrap_or(base).rsplit_once('.')?;
        let known = self.extensions.iter().position(|e| extension.eq_ignore_ascii_case(e))?;
        Some(known + 1)
    }
}

fn no_member(names: &[String], kind: &Kind, wanted: Option<&str>) -> Error {
    if names.iter().any(|name| name.starts_with("xl/")) {
        return Error::new("E024", "this is an Excel workbook, not a csv file")
            .help("open it in the spreadsheet and save it as CSV (UTF-8)");
    }
    let found: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
    let found = if found.is_empty() { "nothing".to_string() } else { found.join(", ") };
    match wanted {
        Some(wanted) => Error::new("E024", format!("no member {wanted:?} in the archive"))
            .help(format!("it holds {found}")),
        None => Error::new("E024", format!("no {} file in the archive", kind.listed))
            .help(format!("it holds {found}")),
    }
}
