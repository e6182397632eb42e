//! Every way in which a file can be wrong, and the one message that says so.

use std::io::Write;

use data::{Columns, Encoding, Error, ReadOptions, Split, read, read_bytes};

fn error_with(name: &str, text: impl AsRef<[u8]>, options: &ReadOptions) -> Error {
    match read_bytes(name, text.as_ref(), options) {
        Err(error) => error,
        Ok((corpus, _)) => panic!("read {} sentences of {name}", corpus.len()),
    }
}

fn error(name: &str, text: impl AsRef<[u8]>) -> Error {
    error_with(name, text, &ReadOptions::default())
}

fn with_columns(name: &str, text: &str, columns: &str) -> Error {
    let columns = Columns::parse(columns).unwrap();
    error_with(name, text, &ReadOptions { columns, ..ReadOptions::default() })
}

#[track_caller]
fn check(error: Error, expected: &str) {
    assert_eq!(error.to_string(), expected, "\n{error}");
}

#[test]
fn a_byte_that_does_not_decode_is_named_with_its_place_and_meaning() {
    let forced = ReadOptions { encoding: Encoding::UTF_8, ..ReadOptions::default() };
    check(
        error_with("x.csv", b"Word,Tag\n\xc3\xa9\x85\"s,O\n", &forced),
        "error[E001]: not UTF-8: byte 0x85\n  --> x.csv:2:2\n   | é\u{fffd}\"s,O\n  \
         help: in windows-1252 it is \"…\": `--encoding windows-1252` reads the file so",
    );
    let sjis = ReadOptions { encoding: Encoding::parse("shift_jis").unwrap(), ..forced };
    let error = error_with("x.csv", b"Word,Tag\na,O\nb\xff,O\n", &sjis);
    assert_eq!((error.code, &*error.message), ("E001", "not Shift_JIS: byte 0xff"));
    let place = error.place.unwrap();
    assert_eq!((place.line, place.column), (Some(3), Some(2)));
}

#[test]
fn a_damaged_utf8_file_is_not_guessed_to_be_something_else() {
    let text = [&"Éire,B-geo\n".repeat(20).into_bytes()[..], b"\xff,O\n"].concat();
    let text = [b"Word,Tag\n", &text[..]].concat();
    let damaged = error("x.csv", text);
    assert_eq!((damaged.code, damaged.place.unwrap().line), ("E001", Some(22)));
    let marked = error("x.csv", b"\xef\xbb\xbfWord,Tag\n\xff,O\n");
    assert_eq!((marked.code, marked.place.unwrap().line), ("E001", Some(2)), "the mark says UTF-8");
    let undefined = error("x.csv", b"Word,Tag\n\x81\x40,O\n");
    assert_eq!(undefined.code, "E001");
    assert!(undefined.help.unwrap().contains("not windows-1252 either"));
}

#[test]
fn a_missing_column_comes_with_the_option_that_names_it() {
    check(
        error("x.csv", "Sentence #,word,pos,klass\n1,a,NN,O\n"),
        "error[E002]: no column \"Tag\" (found: Sentence #, word, pos, klass)\n  --> x.csv:1\n  \
         help: --columns token=word,tag=klass,sentence=\"Sentence #\"",
    );
    check(
        with_columns("x.csv", "Word,Tag\na,O\n", "tag=Tga"),
        "error[E002]: no column \"Tga\" (found: Word, Tag)\n  --> x.csv:1\n  \
         help: --columns token=Word,tag=Tag",
    );
    check(
        with_columns("x.csv", "Word,Tag\na,O\n", "tag=3"),
        "error[E002]: no column 3: rows have 2 fields\n  --> x.csv:1\n  \
         help: --columns token=Word,tag=Tag",
    );
    check(
        error("x.csv", "1,EU,B-ORG\n2,is,O\n"),
        "error[E002]: no header: the first row is a token already\n  --> x.csv:1\n  \
         help: --columns token=2,tag=3",
    );
    check(
        error("x.txt", "Paris\nsleeps\n"),
        "error[E002]: no tag column: lines hold one field\n  --> x.txt\n  \
         help: write word and tag on each line, with a tab or a blank between them",
    );
    let prose = error("x.txt", "Ann left Oslo on Monday.\nIt rained.\n\nBob stayed in Rome.\n");
    let message = "no entity tag in column 5; values: Monday. 100 %: this looks like running text";
    assert_eq!((prose.code, prose.message.as_str()), ("E009", message));
    assert!(prose.help.unwrap().contains("`longhand tag` reads running text"));
    let columns = error("x.csv", "EU B-ORG\nis O\n");
    assert!(columns.help.unwrap().contains("--format conll"));
    assert_eq!(with_columns("x.conll", "a O\n", "tag=Tag").code, "E002");
    assert_eq!(with_columns("x.conll", "a O\n", "tag=3").code, "E002");
    assert_eq!(error("x.conll", "O\nB-x\n").code, "E002");
}

#[test]
fn a_ragged_row_is_shown_with_the_gap_marked() {
    check(
        error("x.csv", "Word,POS,Tag\na,NN,O\nb,NN\n"),
        "error[E003]: 2 fields, expected 3\n  --> x.csv:3\n   | b,NN\n   |     ^\n  \
         help: missing at the mark: Tag",
    );
    check(
        error("x.csv", "Word,Tag\r\n1,000,O\r\n"),
        "error[E003]: 3 fields, expected 2\n  --> x.csv:2\n   | 1,000,O\n  \
         help: a word that holds ',' must stand in quotes: \"1,000\"",
    );
    check(
        error("x.conll", "a O\n\nNew York B-geo\n"),
        "error[E003]: 3 fields, expected 2\n  --> x.conll:3\n   | New York B-geo\n  \
         help: a blank inside a word? separate fields with tabs on every line, then words may hold blanks",
    );
    check(
        error("x.conll", "a\tO\nb\tO\nc\n"),
        "error[E003]: 1 field, expected 2\n  --> x.conll:3\n   | c\n   |  ^\n  \
         help: a field is missing: is it the tag?",
    );
    let words = ReadOptions::without_tags();
    let text = error_with("x.txt", "One\nword\na\nline\nand then a sentence.\n", &words);
    assert!(text.help.unwrap().contains("--in text"));
}

#[test]
fn a_lone_quote_is_found_where_it_opens() {
    for text in [
        "Word,Tag\na,O\n\",O\nb,O\n",
        "Word,Tag\na,O\n\",O\nb,O\n\"c\",O\nd,O\n",
        "Word,Tag\na,O\n\"b\nc\",O\n",
        "x,Word,Tag\n1,a,O\n1,\",O\n1,b,O\n",
    ] {
        let error = error("x.csv", text);
        assert_eq!((error.code, error.place.as_ref().unwrap().line), ("E026", Some(3)), "{error}");
    }
}

#[test]
fn sentences_without_an_end_are_an_error_once_they_are_long() {
    let text = |n| format!("Word,Tag\n{}", "a,O\n".repeat(n));
    assert!(read_bytes("x.csv", text(10_000).into_bytes(), &ReadOptions::default()).is_ok());
    check(
        error("x.csv", text(10_001)),
        "error[E004]: one sentence of 10,001 tokens\n  --> x.csv:2\n  \
         help: name the column that numbers sentences: `--columns sentence=…`",
    );
    assert_eq!(error("x.conll", "a O\n".repeat(10_001)).code, "E004");
}

#[test]
fn a_column_without_tags_is_shown_by_its_values() {
    check(
        with_columns("x.csv", "Word,POS,Tag\na,NN,O\nb,NN,B-x\nc,IN,O\n", "tag=POS"),
        "error[E009]: no entity tag in column 2 (\"POS\"); values: NN 67 %, IN 33 %\n  --> x.csv\n  \
         help: tags seem to be in column 3 (\"Tag\"): `--columns tag=3`",
    );
    check(
        with_columns("x.conll", "a NN O\nb IN B-x\n", "tag=2"),
        "error[E009]: no entity tag in column 2; values: IN 50 %, NN 50 %\n  --> x.conll\n  \
         help: tags seem to be in column 3: `--columns tag=3`",
    );
    // One slip among many tags is told with its line, when the tags are looked at.
    let slip = read_bytes(
        "x.conll",
        format!("{}c b-x\n", "a O\nb B-x\n\n".repeat(9)).into_bytes(),
        &ReadOptions::default(),
    );
    let corpus = slip.unwrap().0;
    let found = data::scheme::validate(&corpus, data::Scheme::Iob2);
    check(
        found.to_error(&corpus, data::Scheme::Iob2).unwrap(),
        "error[E005]: \"b-x\" is no tag\n  --> x.conll:28\n  \
         help: write B-x, as `longhand convert FILE OUT --repair` does",
    );
    let rare = format!("{}b PER\n", "a O\n".repeat(40));
    assert_eq!(error("x.conll", rare).code, "E009", "O alone makes no column of tags");
    let plain = error("x.conll", "a O\nb PER\nc O\n");
    assert_eq!(plain.code, "E009");
    assert!(plain.help.unwrap().contains("B-PER"));
}

#[test]
fn a_column_is_read_as_one_thing() {
    let text = "a NN O\nb IN B-x\n";
    for (option, says) in [
        ("pos=3", "column 3 is read as tag and as pos"),
        ("token=1,pos=1", "column 1 is read as token and as pos"),
        ("token=3", "column 3 is read as token and as tag"),
        ("sentence=1", "column 1 is read as token and as sentence"),
    ] {
        let error = with_columns("x.conll", text, option);
        assert_eq!((error.code, &*error.message), ("E030", says), "{option}");
    }
    let csv = with_columns("x.csv", "Word,POS,Tag\na,NN,O\nb,NN,B-x\n", "pos=Tag");
    assert_eq!((csv.code, &*csv.message), ("E030", "column 3 is read as tag and as pos"));
}

#[test]
fn nothing_to_read_is_said_plainly() {
    for (name, text) in [
        ("x.csv", ""),
        ("x.csv", " \r\n\n"),
        ("x.csv", "Word,Tag\n"),
        ("x.csv", "\u{feff}"),
        ("x.conll", "# only = comments\n\n"),
        ("x.conll", "-DOCSTART- O\n"),
    ] {
        assert_eq!(error(name, text).code, "E023", "{text:?}");
    }
}

#[test]
fn binary_data_is_not_read_as_text() {
    let zero = error("x.csv", b"Word,Tag\na,O\nb\0,O\n");
    assert_eq!((zero.code, zero.place.unwrap().line), ("E025", Some(3)));
    let utf16: Vec<u8> = "Word,Tag\na,O\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(error("x.csv", utf16).help.unwrap().contains("utf-16le"));
    let utf16: Vec<u8> = "Word,Tag\na,O\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert!(error("x.csv", utf16).help.unwrap().contains("utf-16be"));
    let utf32: Vec<u8> =
        "\u{feff}Word,Tag\n".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    assert_eq!(error("x.csv", utf32).code, "E025");
}

#[test]
fn a_row_without_word_or_tag_is_an_error() {
    let lines = |error: Error| (error.code, error.place.unwrap().line);
    assert_eq!(lines(error("x.csv", "Word,Tag\na,O\n,B-x\n")), ("E031", Some(3)));
    assert_eq!(lines(error("x.csv", "Word,Tag\na,O\nb, \n")), ("E031", Some(3)));
    assert_eq!(lines(error("x.conll", "a\tNN\tO\n\tNN\tO\n")), ("E031", Some(2)));
    assert_eq!(lines(error("x.conll", "a\tO\nb\t\nc\tO\n")), ("E031", Some(2)));
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn damaged_archives_are_told_from_cut_off_ones() {
    let whole = gzip("Word,Tag\na,O\n".repeat(100).as_bytes());
    for length in [3, 12, whole.len() / 2, whole.len() - 1] {
        let error = error("x.gz", &whole[..length]);
        assert_eq!(error.code, "E024", "{length}: {error}");
        assert!(error.message.contains("too early"), "{length}: {error}");
    }
    let mut flipped = whole.clone();
    let crc = flipped.len() - 6;
    flipped[crc] ^= 1;
    assert!(error("x.gz", flipped).message.contains("damaged"));
    assert_eq!(error("x.zip", b"PK\x03\x04and no more").code, "E024");
}

#[test]
fn an_archive_without_a_corpus_says_what_it_holds() {
    let zip = |name: &str| {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.finish().unwrap().into_inner()
    };
    check(
        error("x.zip", zip("a.pdf")),
        "error[E024]: no .csv, .conll, .iob2 or .txt file in the archive\n  --> x.zip\n  help: it holds a.pdf",
    );
    assert!(error("x.xlsx", zip("xl/workbook.xml")).message.contains("Excel"));
    let member = ReadOptions { member: Some("b.csv".into()), ..ReadOptions::default() };
    assert!(error_with("x.zip", zip("a.csv"), &member).message.contains("b.csv"));
}

#[test]
fn a_wrong_path_is_answered_with_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ner_dataset.csv.gz"), "x").unwrap();
    std::fs::write(folder.path().join("zebra.conll"), "x").unwrap();
    let options = ReadOptions::default();
    let path = folder.path().join("ner_dataset.csv");
    let missing = read(&path, &options).unwrap_err();
    let nearest = folder.path().join("ner_dataset.csv.gz");
    assert_eq!(
        (missing.code, missing.help),
        ("E021", Some(format!("did you mean {}?", nearest.display())))
    );
    assert_eq!(read(folder.path().join("unlike"), &options).unwrap_err().help, None);
    let nowhere = read(folder.path().join("no/file"), &options).unwrap_err();
    assert!(nowhere.help.unwrap().contains("there is no folder"));
    let folder_error = read(folder.path(), &options).unwrap_err();
    assert_eq!(folder_error.code, "E022");
    assert!(folder_error.help.unwrap().contains("ner_dataset.csv.gz"));
}

#[test]
fn a_split_file_is_checked_number_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("split.txt");
    let split = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Split::by_index_file(&path, 6)
    };
    let good = split("train\t5 0 3\nvalid\t2\n\ntest\t1 4\n").unwrap();
    assert_eq!((good.train, good.dev, good.test), (vec![5, 0, 3], vec![2], vec![1, 4]));
    let again = Split { train: vec![5, 0], dev: vec![], test: vec![1] };
    assert_eq!(split(&again.to_index_file()).unwrap(), again);
    for (text, message, line, column) in [
        ("train\t0 6", "sentence 6 of a corpus of 6", 1, 9),
        ("train\t0 1\ntest\t2 1", "sentence 1 stands in `train` and in `test`", 2, 8),
        ("train\t0 1 0", "sentence 0 stands twice in `train`", 1, 11),
        ("train\t0 x", "\"x\" is no sentence number", 1, 9),
        ("train\t-1", "\"-1\" is no sentence number", 1, 7),
        ("trian\t0", "no part is called \"trian\"", 1, 1),
        ("train\t0\ndev\t1\nvalid\t2", "a second line for `dev`", 3, 1),
        ("dev\t0", "no sentence in `train`", 1, 1),
    ] {
        let error = split(text).unwrap_err();
        let place = error.place.unwrap();
        assert_eq!((error.code, error.message.as_str()), ("E028", message));
        assert_eq!((place.line, place.column), (Some(line), Some(column)), "{text}");
    }
}
