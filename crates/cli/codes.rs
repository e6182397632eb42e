//! What the codes mean that only the program raises; those of files are in `data`, those of training
//! in `train`.

/// Code and explanation.
pub const CODES: &[(&str, &str)] = &[
    (
        "W045",
        "More threads than the machine has cores: they wait for each other, so that no more than 64 are started then. 0 \
         takes all cores.",
    ),
    (
        "W029",
        "No sentence is left for dev or for test: nothing is scored there, and without dev the last epoch's weights are \
         kept and the threshold is not tried. Equal sentences share a part (`keep-duplicates`), so that a corpus of few \
         different ones may leave a part empty. More data, other shares (--split), keep-duplicates = false, or files of \
         their own (--dev, --test) mend it.",
    ),
    (
        "W065",
        "The trained model scores less than giving each word the tag that training shows it with most often. It has \
         seen too little of each label: more epochs, a higher rate, or more data. What `check` finds may be why, too.",
    ),
    (
        "E048",
        "Options that do not go together, a name whose ending does not say what to write, or an output that is a file \
         which the command reads.",
    ),
    (
        "E046",
        "Two files to be scored against each other do not have the same tokens in the same sentences. \
         The message names the first difference in both.",
    ),
    (
        "W047",
        "The conlleval program knows B, I, O and half of E. It reads a row of S- as one entity and can \
         give an F1 of 100 for a wrong answer. Turn the tags into IOB2 before scoring by its rule.",
    ),
    (
        "W048",
        "Gold tags that their scheme does not allow, such as I-org after O: by the strict rule such an entity \
         may not count, and then it cannot be found either. Name the scheme that they are in (--scheme), or mend \
         them (longhand convert FILE OUT --repair).",
    ),
    (
        "W049",
        "Predicted tags that their scheme does not allow, such as I-org after O. The strict rule counts \
         only entities that are well-formed; conlleval's takes such a tag for the start of one.",
    ),
    (
        "E049",
        "A line of a .jsonl file is no text with entities. Each line is an object with `text` and `ents` (or \
         `entities`, `spans`, `label`): objects with `start`, `end` and `label`, or lists of these three. \
         Offsets count characters from 0. Entities lie within the text and do not overlap; with `tokens` \
         they begin and end where a token does. Or an object has `tokens`, which are words, and as many tags \
         in `ner_tags`, `tags` or `labels`: by name, not by number.",
    ),
    (
        "W034",
        "Entities of a text begin or end with a blank. They were read without it; their borders were probably \
         marked by hand.",
    ),
    (
        "E070",
        "A line of a BRAT file (.ann) is no entity of the text beside it (.txt). An entity is T and a number, a \
         tab, `type start end` counted in characters of the whole text, a tab, its words. Parts of an entity \
         may have blanks between them, not words, and entities do not overlap. A line's end is a sentence's end.",
    ),
    (
        "E071",
        "The service cannot listen there: what --listen gives is no address, or another program has the port. \
         Port 0 takes a free one; the address is printed.",
    ),
    (
        "W070",
        "The service can be reached from other machines. It asks for no password and does not encrypt: anybody \
         who reaches it can send it texts. 127.0.0.1, the default, is this machine alone.",
    ),
    (
        "E050",
        "The file to be written is there already and was not touched; --force writes over it.",
    ),
    (
        "E062",
        "Two runs can be compared only on the same sentences: dev or test parts of the same data, split the \
         same way. `--split-file`, or the same --dev and --test files, keep them the same.",
    ),
    (
        "E051",
        "A model that cannot be exported, or a file that cannot be imported: only what `longhand export` \
         wrote can be. Other programs may change its weights, not their names, their shapes or what \
         the file says of words and tags.",
    ),
    (
        "E052",
        "`explain` shows a sentence or a few: a text without words, or with too many, is refused.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    fn sources(folder: &Path, texts: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, texts);
            } else {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn the_list_has_every_code_once_and_in_order() {
        let codes: Vec<&str> = crate::sorted_codes().iter().map(|(code, _)| *code).collect();
        assert!(codes.windows(2).all(|two| two[0][1..] <= two[1][1..]), "{codes:?}");
        let distinct: HashSet<&str> = codes.iter().copied().collect();
        assert_eq!(distinct.len(), codes.len());
        // One code with two meanings would be shown with the first only.
        assert_eq!(crate::all_codes().count(), codes.len());
    }

    #[test]
    fn every_code_of_every_crate_is_explained_by_help() {
        let known: HashSet<&str> = crate::all_codes().map(|(code, _)| *code).collect();
        let mut texts = Vec::new();
        for folder in ["crates/cli", "crates/data/src", "crates/train/src", "crates/exchange/src"] {
            sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut texts);
        }
        let is_code = |word: &&str| {
            word.len() == 4
                && word.starts_with(['E', 'W', 'I'])
                && word[1..].bytes().all(|byte| byte.is_ascii_digit())
        };
        let words = texts.iter().flat_map(|text| text.split('"')).filter(is_code);
        let unknown: HashSet<&str> = words.filter(|code| !known.contains(code)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
