//! What the codes of this crate's errors mean; those of files are in `data`.

/// Code and explanation.
pub const CODES: &[(&str, &str)] = &[
    (
        "E011",
        "The loss stopped being a number. Training ended at once, the best model so far is kept. The usual \
         causes are a learning rate that is too high and gradients that are not clipped; under the tutorial's \
         ReLU head it is 0/0 when all scores of a token are at or below 0.",
    ),
    (
        "E012",
        "The output folder already holds a run. `--resume` goes on with it if it was interrupted, `--force` \
         writes over it, and another `-o` leaves it alone.",
    ),
    (
        "E013",
        "The file is not a model that this version can read: it is of another kind, cut short, made by a \
         version with another format, or its weights do not fit its configuration.",
    ),
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
];
