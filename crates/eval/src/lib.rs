//! Tags to spans to scores: strict, seqeval and conlleval rules, floors, confusion.
