//! What the codes that only the doctor uses mean.

/// Code and explanation, in order of their numbers within each letter.
pub const CODES: &[(&str, &str)] = &[
    (
        "W050",
        "The same sentence stands in the file with different tags, so at least one of them is wrong. A \
         model can learn neither. The message gives the lines of each pair's first difference.",
    ),
    (
        "W051",
        "Types with fewer than 50 entities in the training part. Their scores will be low and will \
         change from seed to seed; they weigh as much as any other type in a macro mean.",
    ),
    (
        "W052",
        "Tokens with white space, control characters or characters that show nothing (a soft hyphen, a \
         zero-width space) inside. Formats without quotes cut words there, and such a word never \
         equals the same word without them.",
    ),
    (
        "W053",
        "Tokens with U+FFFD, which a decoder writes where it lost a character. Only the source of the \
         file still knows what stood there.",
    ),
    (
        "W054",
        "Tokens that are UTF-8 read as windows-1252 and written again: \"donâ€™t\" for \"don’t\". The file \
         was spoilt before it came here. The examples show what the words were.",
    ),
    (
        "W055",
        "Tokens such as nan, or None amid a sentence, as programs write them for a missing value. If the \
         file was made by pandas, words such as None, NA or null were lost on reading.",
    ),
    ("W056", "Sentences of more than 200 tokens. Mostly sentence breaks are missing there."),
    (
        "W057",
        "At least a fifth of the sentences are in capitals only or have none, while others have both. \
         A model that tells words apart by case learns each of them twice.",
    ),
    ("W058", "Types whose names differ in case only, such as PER and per, are different types."),
    (
        "I060",
        "Sentences that repeat an earlier one of the same part. They weigh twice in training and in \
         scores.",
    ),
    (
        "I061",
        "The words of some entities stand for another type elsewhere (Washington: geo, org, per), so that \
         only the sentence tells which is meant. The examples are those that most often are not \
         what they are most often; O is a word outside of entities.",
    ),
    ("I062", "Tokens of more than 40 characters: addresses, or text that was not cut into words."),
    (
        "I063",
        "How much of a part is new: entities with a word that the training part never shows, and entities \
         that are none there. Where most are new, words alone do not help and spelling must.",
    ),
];
