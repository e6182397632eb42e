//! Two real corpora, counted.
//!
//! They are not part of the repository: `LONGHAND_GMB` names the csv file of the Groningen Meaning
//! Bank subset, `LONGHAND_UNER` the folder with the Danish files of Universal NER. Where a variable
//! is not set, its tests say that they did nothing.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::PathBuf;

use data::scheme::{self, spans, spans_leniently};
use data::{Corpus, Encoding, ReadOptions, Scheme, Split, TagSet, Vocab};

fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).map(PathBuf::from);
    if value.is_none() {
        // Not by `eprintln!`, which the test runner swallows.
        let what = format!("SKIPPED: the environment variable {name} is not set\n");
        let _ = std::io::stderr().write_all(what.as_bytes());
    }
    value
}

fn gmb() -> Option<Corpus> {
    let path = variable("LONGHAND_GMB")?;
    let (corpus, warnings) = data::read(path, &ReadOptions::default()).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].code, "W001");
    let place = warnings[0].place.as_ref().unwrap();
    assert_eq!((place.line, place.column), (Some(1788), Some(2)));
    assert!(warnings[0].message.contains("first of 56"), "{}", warnings[0]);
    Some(corpus)
}

#[test]
fn gmb_has_the_counts_that_are_published_for_it() {
    let Some(corpus) = gmb() else { return };
    assert_eq!((corpus.source.bytes, corpus.source.encoding), (15_208_151, "windows-1252"));
    assert_eq!(
        corpus.source.sha256,
        "83257dd94ed59596809dc9f5b28f1f035c9d925d5a647f266db43a2f098e8f1a"
    );
    assert_eq!((corpus.n_tokens(), corpus.len()), (1_048_575, 47_959));
    assert_eq!((corpus.words.len(), corpus.pos.len(), corpus.tags.len()), (35_178, 42, 17));
    let lengths: Vec<usize> = corpus.sentences().map(|s| s.len()).collect();
    assert_eq!((corpus.longest(), lengths.iter().min()), (104, Some(&1)));
    let at_most = |n: usize| lengths.iter().filter(|&&length| length <= n).count();
    assert_eq!((at_most(1), at_most(50), at_most(75)), (2, 47_861, 47_957));
    let mut lowered: Vec<String> = corpus.words.iter().map(str::to_lowercase).collect();
    lowered.sort_unstable();
    lowered.dedup();
    assert_eq!(lowered.len(), 31_817);
}

#[test]
fn gmb_keeps_the_words_that_readers_like_to_lose() {
    let Some(corpus) = gmb() else { return };
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for &id in corpus.word_ids() {
        *counts.entry(corpus.word_of(id)).or_default() += 1;
    }
    let count = |word: &str| counts.get(word).copied().unwrap_or(0);
    assert_eq!(
        [count("None"), count("5\u{a0}storm"), count("\""), count(",")],
        [10, 1, 3686, 32_754]
    );
    assert_eq!([count("’s"), count("…"), count("–")], [9, 4, 8], "windows-1252, not Latin-1");
    assert_eq!(
        corpus.sentence(0).words().take(3).collect::<Vec<_>>(),
        ["Thousands", "of", "demonstrators"]
    );
    let last = corpus.sentence(47_958);
    assert_eq!(last.line(last.len() - 1), 1_048_576);
}

#[test]
fn gmb_has_the_entities_that_are_published_for_it() {
    let Some(corpus) = gmb() else { return };
    assert_eq!(scheme::detect(&corpus), Ok(Scheme::Iob2));
    assert_eq!(scheme::validate(&corpus, Scheme::Iob2).count, 0);
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    let mut without = 0;
    for sentence in corpus.sentences() {
        let tags: Vec<&str> = sentence.tags().collect();
        let found = spans(&tags, Scheme::Iob2).unwrap();
        assert_eq!(found, spans_leniently(&tags));
        without += usize::from(found.is_empty());
        for span in found {
            *types.entry(span.label).or_default() += 1;
        }
    }
    let expected = [
        ("art", 402),
        ("eve", 308),
        ("geo", 37_644),
        ("gpe", 15_870),
        ("nat", 201),
        ("org", 20_143),
        ("per", 16_990),
        ("tim", 20_333),
    ];
    assert_eq!((types, without), (BTreeMap::from(expected), 7_042));
}

#[test]
fn gmb_survives_every_scheme_and_its_repair_changes_nothing() {
    let Some(mut corpus) = gmb() else { return };
    let original = (corpus.tags.clone(), corpus.tag_ids().to_vec());
    assert_eq!(scheme::repair(&mut corpus, Scheme::Iob2), []);
    let mut from = Scheme::Iob2;
    for to in [Scheme::Iobes, Scheme::Iob1, Scheme::Bilou, Scheme::Iob2] {
        scheme::convert_corpus(&mut corpus, from, to).unwrap();
        assert_eq!(scheme::detect(&corpus), Ok(to));
        from = to;
    }
    assert_eq!((corpus.tags.clone(), corpus.tag_ids().to_vec()), original);
}

#[test]
fn gmb_is_split_near_the_fractions_with_its_384_repeats_kept_together() {
    let Some(corpus) = gmb() else { return };
    let everything: Vec<u32> = (0..corpus.len() as u32).collect();
    let firsts: std::collections::HashSet<&[u32]> =
        corpus.sentences().map(|s| s.word_ids()).collect();
    assert_eq!(corpus.len() - firsts.len(), 384);
    let split = Split::by_fractions(&corpus, [80.0, 10.0, 10.0], 1, true).unwrap();
    let sizes = [split.train.len(), split.dev.len(), split.test.len()];
    for (size, expected) in sizes.iter().zip([38_367, 4_796, 4_796]) {
        assert!(size.abs_diff(expected) < 200, "{sizes:?}");
    }
    assert_eq!(data::split::overlap(&corpus, &split.dev, &split.train), 0);
    assert_eq!(data::split::overlap(&corpus, &split.test, &split.train), 0);
    assert_eq!(data::split::overlap(&corpus, &everything, &everything), corpus.len());

    let vocab = Vocab::build(&corpus, &everything, 1, false);
    assert_eq!((vocab.len(), vocab.word(1), vocab.count(1)), (35_179, "the", 52_573));
    let tags = TagSet::build(&corpus, &split.train, Scheme::Iob2).unwrap();
    assert_eq!((tags.len(), tags.tag(1), tags.tag(16)), (17, "B-art", "I-tim"));
    assert_eq!(tags.check(&corpus, &split.test, "test", false), Ok(None));
}

#[test]
fn gmb_read_as_utf8_stops_at_its_first_bad_byte_and_as_latin1_warns() {
    let Some(path) = variable("LONGHAND_GMB") else { return };
    let forced = ReadOptions { encoding: Encoding::UTF_8, ..ReadOptions::default() };
    let error = data::read(&path, &forced).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), ("E001", "not UTF-8: byte 0x85"));
    let place = error.place.unwrap();
    assert_eq!((place.line, place.column), (Some(1788), Some(2)));
    let latin1 = ReadOptions { encoding: Encoding::Latin1, ..ReadOptions::default() };
    let (corpus, warnings) = data::read(&path, &latin1).unwrap();
    assert_eq!((corpus.n_tokens(), corpus.len()), (1_048_575, 47_959), "U+0085 breaks no line");
    assert_eq!(warnings[0].code, "W002");
}

#[test]
fn danish_has_the_counts_that_are_published_for_it() {
    let Some(folder) = variable("LONGHAND_UNER") else { return };
    let parts = [
        ("train", 4_383, 80_378, 3_028, 91, 6),
        ("dev", 564, 10_332, 379, 73, 0),
        ("test", 565, 10_023, 447, 75, 1),
    ];
    let mut whole: Option<Corpus> = None;
    for (part, n_sentences, n_tokens, n_entities, longest, n_malformed) in parts {
        let path = folder.join(format!("da_ddt-ud-{part}.iob2.gz"));
        let (mut corpus, warnings) = data::read(path, &ReadOptions::default()).unwrap();
        assert_eq!((warnings.len(), corpus.has_pos, corpus.source.encoding), (0, false, "UTF-8"));
        assert_eq!((corpus.len(), corpus.n_tokens()), (n_sentences, n_tokens), "{part}");
        assert_eq!(corpus.longest(), longest);
        assert_eq!(scheme::detect(&corpus), Ok(Scheme::Iob2));
        assert_eq!(scheme::validate(&corpus, Scheme::Iob2).count, n_malformed);
        let count = |corpus: &Corpus| {
            let spans =
                corpus.sentences().map(|s| spans_leniently(&s.tags().collect::<Vec<_>>()).len());
            spans.sum::<usize>()
        };
        assert_eq!(count(&corpus), n_entities);
        assert_eq!(scheme::repair(&mut corpus, Scheme::Iob2).len(), n_malformed);
        assert_eq!(count(&corpus), n_entities);
        match &mut whole {
            None => whole = Some(corpus),
            Some(whole) => assert_eq!(whole.append(&corpus).len(), n_sentences),
        }
    }
    let whole = whole.unwrap();
    assert_eq!((whole.len(), whole.n_tokens()), (5_512, 100_733));
    assert_eq!(whole.source_of(5_511).path, whole.sources().last().unwrap().path);
    let all: Vec<u32> = (0..whole.len() as u32).collect();
    assert_eq!(TagSet::build(&whole, &all, Scheme::Iob2).unwrap().types(), ["LOC", "ORG", "PER"]);
}
