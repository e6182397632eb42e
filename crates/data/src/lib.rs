//! Text to ids and back: files, encodings, sentences, tag schemes, vocabulary, splits, tokenisation.
