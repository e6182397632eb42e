//! NumPy's zip of arrays. The model's description is an array of bytes, `longhand`.

use std::io::{Cursor, Read, Write};

use ndarray::{Array1, ArrayD};
use ndarray_npy::{ReadNpyExt, WriteNpyExt};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::naming::Naming;
use crate::{Content, Named};

const KEY: &str = "longhand";

pub(crate) fn write(content: Content) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // A fixed date: the same model gives the same bytes.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .large_file(true);
    let in_memory = "writing to memory does not fail";
    let mut entry = |name: &str, bytes: Vec<u8>| {
        zip.start_file(format!("{name}.npy"), options).expect("each name stands once");
        zip.write_all(&bytes).expect(in_memory);
    };
    let mut bytes = Vec::new();
    Array1::from(content.meta.into_bytes()).write_npy(&mut bytes).expect(in_memory);
    entry(KEY, bytes);
    for t in content.tensors {
        let mut bytes = Vec::new();
        t.values.write_npy(&mut bytes).expect(in_memory);
        entry(&t.name, bytes);
    }
    zip.finish().expect(in_memory).into_inner()
}

pub(crate) fn read(bytes: &[u8]) -> Result<Content, String> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let (mut meta, mut tensors) = (None, Vec::new());
    for i in 0..zip.len() {
        let mut file = zip.by_index(i).map_err(|e| e.to_string())?;
        let name = file.name().map_err(|e| e.to_string())?;
        let name = name.trim_end_matches(".npy").to_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        let wrong = |e: ndarray_npy::ReadNpyError| format!("{name}: {e}");
        if name == KEY {
            let text = Array1::<u8>::read_npy(&bytes[..]).map_err(wrong)?.to_vec();
            meta = Some(String::from_utf8(text).map_err(|e| e.to_string())?);
        } else {
            let values = ArrayD::<f32>::read_npy(&bytes[..]).map_err(wrong)?;
            tensors.push(Named { name, values });
        }
    }
    let meta = meta.ok_or("it has no array `longhand`, which says what the words and tags are")?;
    // Keras's names have a slash, those of this program none.
    let keras = tensors.iter().any(|t: &Named| t.name.contains('/'));
    let naming = if keras { Naming::Keras } else { Naming::Ours };
    Ok(Content { meta, naming, tensors })
}
