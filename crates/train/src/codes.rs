//! What the codes of this crate's errors mean; those of files are in `data`.

/// Code and explanation.
pub const CODES: &[(&str, &str)] = &[
    (
        "E040",
        "A key of the configuration, or a preset, that does not exist. Keys are the same in files and as flags.",
    ),
    ("E041", "A value of the configuration that is of the wrong kind or out of its range."),
    ("E042", "A result could not be written. What was there before is unchanged."),
    (
        "E043",
        "There is nothing to resume, or what is there belongs to other data or to another configuration.",
    ),
    (
        "E044",
        "There is no help on that word. `longhand help codes` lists the codes of all messages.",
    ),
    (
        "E059",
        "The GPU was asked for and cannot do it: the program was built without it, there is no driver or no GPU \
         that is new enough, or a block's memory there has no room for so many tags. The message says which. \
         --device auto takes the processor then.",
    ),
    (
        "E063",
        "The GPU failed in the middle, or its memory is used up: in training a smaller --batch needs less. What was \
         tagged before and after it failed is right, the rest having been done by the processor.",
    ),
    (
        "E064",
        "The configuration has `pos = true`, but a file of the data has no column of parts of speech, or it was not \
         found. `--columns pos=NAME` names it.",
    ),
    (
        "W064",
        "The model reads parts of speech and the text has none: it was trained to do without in one sentence of ten, and \
         finds less so. `eval` and `tag --in conll` read them from a column of the file.",
    ),
    (
        "E045",
        "The system did not start as many threads as were asked for. `--threads 0` takes one a core.",
    ),
    (
        "E060",
        "predictions.jsonl.gz of a run is damaged, or was written by another version. A run that is trained \
         again writes it anew.",
    ),
    (
        "E061",
        "A folder that holds no finished run of this version. A run is what `longhand train -o RUN` leaves; an \
         interrupted one is finished with `--resume`.",
    ),
];
